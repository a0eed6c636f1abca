"""Rules against what has no effect given the other settings: each yields warnings, all of one code."""

from collections.abc import Iterator
from typing import Any

from craftc.compiler.checking.rules.data_kinds import SOURCE, SOURCE_KIND, gives_text
from craftc.compiler.checking.rules.phases import EPOCHS, SCHEDULE
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import look_up, touch, written_at
from craftc.schemas.diagnostic import Path, parse_path


def _idle(path: Path, message: str, *reads: Path, hint: str | None = None) -> Problem:
    return Problem("no-effect", path, message, hint, severity="warning", reads=(path, *reads))


def patience_too_long(checked: Checked) -> Iterator[Problem]:
    """Early stopping can stop the training."""
    training = checked.spec.training
    stop = training.early_stopping
    # The first epoch is the best so far, so that the earliest end is after 1 + patience epochs.
    if stop is not None and stop.patience >= training.epochs - 1:
        message = f"a patience of {stop.patience} cannot stop a training of {training.epochs} epochs before its end"
        hint = f"write patience: {training.epochs - 2} or less" if training.epochs > 2 else None
        yield _idle(("training", "early_stopping", "patience"), message, EPOCHS, hint=hint)


def plateau_never_reached(checked: Checked) -> Iterator[Problem]:
    """A phase that waits before the rate falls can come to the end of it, and the rate can fall."""
    training = checked.spec.training
    known = [phase.args.get("epochs") for phase in training.schedule]
    rest = training.epochs - sum(length for length in known if isinstance(length, int))
    for index, phase in enumerate(training.schedule):
        entry = checked.catalogue.find("schedules", phase.kind)
        if entry is None:
            continue
        waits, floor = entry.patience_argument, entry.min_lr_argument
        patience: Any
        patience, length = phase.args.get(waits or ""), phase.args.get("epochs")
        epochs: Any = rest if length == "none" else length
        lr, min_lr = training.optimizer.args.get("lr"), phase.args.get(floor or "")
        has_number = isinstance(patience, int) and isinstance(epochs, int)
        if has_number and 0 < epochs <= patience:
            message = f"a {waits} of {patience} never runs out in a phase of {epochs} epochs, so the rate never falls"
            hint = f"write {waits}: {epochs - 2} or less" if epochs > 2 else "give the phase more epochs"
            place: Path = (*SCHEDULE, index)
            place = (*place, str(waits)) if waits in look_up(checked.written, place) else place
            yield _idle(place, message, EPOCHS, SCHEDULE, hint=hint)
        elif isinstance(lr, int | float) and isinstance(min_lr, int | float) and min_lr >= lr:
            message = f"the rate cannot fall: {floor} {min_lr:g} is not below the optimizer's lr, {lr:g}"
            yield _idle((*SCHEDULE, index, str(floor)), message, ("training", "optimizer", "lr"))


def seed_of_nothing(checked: Checked) -> Iterator[Problem]:
    """The seed of a source seeds something."""
    source = checked.spec.data.source
    entry = checked.catalogue.find("sources", source.kind)
    unused_at = entry.seed_unused_at if entry else {}
    drawn = {name: source.args.get(name) for name in unused_at}
    # A seed of 0 is what stands there where nothing is written.
    if unused_at and drawn == unused_at and source.args.get("seed"):
        message = f"nothing is drawn: {' and '.join(f'{name} is {_short(value)}' for name, value in drawn.items())}"
        reads = tuple((*SOURCE, name) for name in drawn)
        yield _idle((*SOURCE, "seed"), message, *reads, hint="data.splits.seed shuffles the samples")


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else show(value)


def splits_of_text(checked: Checked) -> Iterator[Problem]:
    """How samples are drawn into splits is said of samples that are drawn."""
    data = checked.spec.data
    if not gives_text(data.source.kind, checked.catalogue):
        return
    place: Path = ("data", "splits")
    message = f"nothing is drawn: the splits of {data.source.kind} are stretches of its text, one after the other"
    if data.splits.stratify and "stratify" in written_at(checked.written, place):
        yield _idle((*place, "stratify"), message, SOURCE_KIND)
    if data.splits.seed:
        yield _idle((*place, "seed"), message, SOURCE_KIND)


def pruner_never_prunes(checked: Checked) -> Iterator[Problem]:
    """A pruner looks at points before their last epoch, and once there are enough of them."""
    search = checked.spec.search
    if search is None or any(touch(parse_path(path), EPOCHS) for path in search.space):
        return
    epochs, place = checked.spec.training.epochs, ("search", "pruner")
    for name, what in (("min_epochs", "its first look"), ("warmup_epochs", "what every point is given")):
        given = search.pruner.args.get(name)
        if isinstance(given, int) and given >= epochs:
            message = f"{search.pruner.kind} stops nothing: {what} is {given} epochs, and a training is {epochs}"
            yield _idle((*place, name), message, EPOCHS)
    begins = search.sampler.args.get("startup_trials")
    entry = checked.catalogue.find("samplers", search.sampler.kind)
    usual = entry.parameter("startup_trials") if entry else None
    # Nobody asked for the default, and a complete spec writes it.
    if isinstance(begins, int) and begins >= search.trials and (usual is None or begins != usual.default):
        message = f"{search.sampler.kind} proposes at random for {begins} points, and there are {search.trials}"
        yield _idle(("search", "sampler", "startup_trials"), message, ("search", "trials"))
    startup = search.pruner.args.get("startup_trials")
    if isinstance(startup, int) and startup > search.trials:
        waits = f"it waits for {startup} points, and the last has {search.trials} before it"
        message = f"{search.pruner.kind} stops nothing: {waits}"
        yield _idle((*place, "startup_trials"), message, ("search", "trials"))


EFFECT_RULES: tuple[Rule, ...] = (
    patience_too_long,
    plateau_never_reached,
    seed_of_nothing,
    splits_of_text,
)
"""What in an experiment changes nothing."""
