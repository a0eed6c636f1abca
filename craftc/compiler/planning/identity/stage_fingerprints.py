"""What a trial's stages read, as fingerprints: stages of one fingerprint come to the same, whichever trial has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from craftc.compiler.planning.identity.fingerprint import (
    SEMANTICS_VERSION,
    Decisive,
    canonical_json,
    own_kinds,
    sha256_of,
)
from craftc.compiler.planning.identity.weights import DIGEST
from craftc.schemas.catalogue import Catalogue, is_own
from craftc.schemas.plan import Stages


def stage_fingerprints(content: Decisive, seed: int, catalogue: Catalogue) -> Stages:
    """The stages of a configuration.

    Trials of one train stage take the same steps, as far as each goes: what they may differ in is when they stop, which
    epoch they select and what is measured beside.
    """
    config = content.config
    data, model, objective, training = (config[name] for name in ("data", "model", "objective", "training"))
    prepared = {name: value for name, value in data.items() if name != "augment"}
    steps = {
        "data": data,
        "model": model,
        "objective": objective | {"metrics": _steering(objective["metrics"], training["schedule"])},
        "regularization": config["regularization"],
        "training": _steps_of(training, catalogue),
        "seed": seed,
    }
    return Stages(
        prepare=_hash("prepare", prepared, content.code),
        train=_hash("train", steps, content.code),
        features=_features(prepared, model, seed, catalogue, content.code),
    )


def _features(
    prepared: dict[str, Any], model: dict[str, Any], seed: int, catalogue: Catalogue, code: Mapping[str, str]
) -> str | None:
    """The fingerprint of what a frozen backbone makes of the data: whatever head is trained on it.

    Weights that are drawn are those of the trial's seed.
    """
    parts = catalogue.frozen_parts(model["kind"])
    if parts is None:
        return None
    drawn = {"seed": seed} if model[parts.weights] == "random" else {}
    # The arguments identify what ships with craftc; a user's own component is identified by its source as well.
    aside = {parts.head, DIGEST} | (set() if is_own(model["kind"]) else {"kind"})
    read = {name: value for name, value in model.items() if name not in aside}
    return _hash("features", {"data": prepared, **read, **drawn}, code)


def _steps_of(training: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """What of the section changes steps, and not only their number."""
    left_out = {"early_stopping"}
    if not _depends_on_length(training["schedule"], catalogue):
        left_out.add("epochs")
    return {name: value for name, value in training.items() if name not in left_out}


def _depends_on_length(schedule: Sequence[dict[str, Any]], catalogue: Catalogue) -> bool:
    """Whether the learning rate of a step can be another when the training has more epochs.

    A phase of a given length cannot know; one that takes all epochs that remain can, unless its component says that it
    does not. A user's own may do anything, so it has to say so whatever its arguments are.
    """
    return any(_phase_depends(phase, catalogue) for phase in schedule)


def _phase_depends(phase: dict[str, Any], catalogue: Catalogue) -> bool:
    entry = catalogue.find("schedules", phase["kind"])
    if entry is not None and entry.depends_on_length is False:
        return False
    return is_own(phase["kind"]) or phase["epochs"] == "none"


def _steering(metrics: list[Any], schedule: list[dict[str, Any]]) -> list[Any]:
    """The metrics that change the steps, those that the schedule follows, and those that must be the same for all.

    A user's own phase may follow any of them. The user's own metrics all count: they may draw random numbers, and so
    change what is measured after them. So do metrics with arguments, for one training has one metric of a name.
    """
    if any(is_own(phase["kind"]) for phase in schedule):
        return metrics
    watched = {str(phase.get("metric")).partition("/")[2] for phase in schedule}
    fixed = [m for m in metrics if m["kind"] in watched or is_own(m["kind"]) or len(m) > 1]
    return sorted(fixed, key=canonical_json)


def _hash(stage: str, reads: dict[str, Any], code: Mapping[str, str]) -> str:
    own = {kind: code[kind] for kind in sorted(set(own_kinds(reads)))} if code else {}
    return sha256_of({"semantics": SEMANTICS_VERSION, "stage": stage, "reads": reads, "code": own})
