"""What a trial's stages read, as fingerprints: stages of one fingerprint come to the same, whichever trial has them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from craftc.compiler.language.pass_names import plain_measure, steering_names
from craftc.compiler.planning.identity.fingerprint import (
    SEMANTICS_VERSION,
    Decisive,
    canonical_json,
    own_kinds,
    sha256_of,
)
from craftc.compiler.planning.identity.plain_lengths import LENGTHS, ends_with_record
from craftc.compiler.planning.identity.weights import DIGEST
from craftc.compiler.planning.identity.without_defaults import VERSION, counted_metrics
from craftc.schemas.catalogue import ADAPTER, GRADIENT_NORMS, REMOVE, Catalogue, is_own, short_name
from craftc.schemas.plan import Stages


def stage_fingerprints(content: Decisive, seed: int, catalogue: Catalogue) -> Stages:
    """The stages of a configuration.

    Trials of one train stage take the same steps, as far as each goes: what they may differ in is when they stop, which
    epoch they select and what is measured beside.
    """
    counted, training = content.counted, content.config["training"]
    schedule = training["schedule"]
    # What is measured at every epoch is part of its record, and may be what the learning rate waits for.
    at_every_epoch = _every_epoch(content)
    # What is prepared, and how it is normalized; with augmentations of what the source gives, that is kept as well.
    data = _without(counted["data"], {"augment"})
    prepared = data | ({"keeps": "source"} if augments_source(content.config["data"]) else {})
    metrics = _steering(content, catalogue, schedule)
    steps = {
        "data": counted["data"],
        "model": counted["model"],
        "objective": _without(counted["objective"], {"metrics"}) | {"metrics": metrics},
        "regularization": counted["regularization"],
        "training": _without(counted["training"], _no_matter_of_steps(content.config, catalogue)),
        "seed": seed,
    } | ({"passes": at_every_epoch} if at_every_epoch else {})
    # Trials of one training make their records together.
    steps |= {"every": counted["evaluation"]["every"]} if "every" in counted["evaluation"] else {}
    steps |= {GRADIENT_NORMS: True} if GRADIENT_NORMS in counted["evaluation"] else {}
    train = _hash("train", steps, content.code)
    return Stages(
        prepare=_hash("prepare", prepared, content.code),
        train=train,
        weights=_hash("weights", {"train": train, **_choices(content, catalogue)}, content.code),
        features=_features(data, content, seed, catalogue),
    )


def _choices(content: Decisive, catalogue: Catalogue) -> dict[str, Any]:
    """What decides how long a training goes on and which of its weights are the best, beside its steps."""
    passes = content.config["evaluation"].get("passes", {})
    watched = {plain_measure(name, passes) for name in steering_names(content.config)}
    metrics = counted_metrics(content.config["objective"]["metrics"], catalogue)
    training = content.config["training"]
    return {
        **{name: training[name] for name in LENGTHS if name in training},
        "stops": content.counted["training"].get("early_stopping"),
        "selects": content.counted["evaluation"].get("select"),
        "metrics": [metric for metric in metrics if short_name(metric["kind"]) in watched],
    }


def _every_epoch(content: Decisive) -> dict[str, Any]:
    """What counts of the passes that are measured after every epoch."""
    counted = content.counted["evaluation"].get("passes", {})
    passes = content.config["evaluation"].get("passes", {})
    return {name: counted[name] for name, each in passes.items() if each["every_epoch"]}


def augments_source(data: Mapping[str, Any]) -> bool:
    """Whether an augmentation works on samples as the source gives them, so that these are prepared, too."""
    return any(augmentation.get("when") != "after_normalize" for augmentation in data.get("augment", ()))


def _without(section: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
    """What counts of a section but for some keys, and their versions."""
    return {name: value for name, value in section.items() if name.removeprefix(VERSION) not in left_out}


def _features(data: dict[str, Any], content: Decisive, seed: int, catalogue: Catalogue) -> str | None:
    """The fingerprint of what a frozen backbone makes of the data: whatever head is trained on it.

    Weights that are drawn are those of the trial's seed.
    """
    model = content.config["model"]
    parts = catalogue.frozen_parts(model["kind"])
    if parts is None:
        return None
    drawn = {"seed": seed} if model[parts.weights] == "random" else {}
    # The arguments identify what ships with craftc; a user's own component is identified by its source as well.
    aside = {parts.head, DIGEST, REMOVE, ADAPTER} | (set() if is_own(model["kind"]) else {"kind"})
    read = _without(content.counted["model"], aside)
    return _hash("features", {"data": data, **read, **drawn}, content.code)


def _no_matter_of_steps(config: dict[str, Any], catalogue: Catalogue) -> set[str]:
    """The keys of `training` that change no step, or only how many there are."""
    training = config["training"]
    # One whose weights in evaluation are others than in training is switched to and fro where a shorter trial ends
    # within a record, which is not without rounding.
    kind = training["optimizer"]["kind"]
    entry = catalogue.find("optimizers", kind)
    switches = (is_own(kind) or (entry is not None and entry.switches_weights)) and not ends_with_record(config)
    depends = switches or any(
        _phase_depends(group, phase, catalogue)
        for group, phases in (("schedules", training["schedule"]), *(("values", v) for v in _values(training)))
        for phase in phases
    )
    return {"early_stopping"} | (set() if depends else set(LENGTHS))


def _values(training: Mapping[str, Any]) -> Iterable[Sequence[dict[str, Any]]]:
    phases: dict[str, Sequence[dict[str, Any]]] = training.get("values", {})
    return phases.values()


def _phase_depends(group: str, phase: dict[str, Any], catalogue: Catalogue) -> bool:
    """Whether the learning rate or value of a step can be another when the training is longer.

    A phase of a given length cannot know; one that takes all that remains can, unless its component says that it
    does not. A user's own may do anything, so it has to say so whatever its arguments are.
    """
    entry = catalogue.find(group, phase["kind"])
    if entry is not None and entry.depends_on_length is False:
        return False
    return is_own(phase["kind"]) or (phase.get("epochs", "none") == "none" and phase.get("steps", "none") == "none")


def _steering(content: Decisive, catalogue: Catalogue, schedule: list[dict[str, Any]]) -> list[Any]:
    """What counts of the metrics that change steps, those that the schedule follows, and of those that all must share.

    A user's own phase may follow any of them. The user's own metrics all count: they may draw random numbers, and so
    change what is measured after them. So do metrics with arguments, for one training has one metric of a name.
    """
    # Its default is left out of what counts; which metrics it has, is asked here.
    metrics = counted_metrics(content.config["objective"]["metrics"], catalogue)
    if any(is_own(phase["kind"]) for phase in schedule):
        return metrics
    passes = content.config["evaluation"].get("passes", {})
    watched = {plain_measure(str(phase.get("metric")), passes) for phase in schedule}
    fixed = [m for m in metrics if m["kind"] in watched or is_own(m["kind"]) or m.keys() - {"kind", VERSION}]
    return sorted(fixed, key=canonical_json)


def _hash(stage: str, reads: dict[str, Any], code: Mapping[str, str]) -> str:
    own = {kind: code[kind] for kind in sorted(set(own_kinds(reads)))} if code else {}
    return sha256_of({"semantics": SEMANTICS_VERSION, "stage": stage, "reads": reads, "code": own})
