"""Rules against what has no effect given the other settings: each yields warnings, all of one code."""

from collections.abc import Iterator
from typing import Any

from craftc.compiler.checking.rules.data_kinds import SOURCE, SOURCE_KIND, gives_text
from craftc.compiler.checking.rules.lengths import BOUNDS, num_records
from craftc.compiler.checking.rules.phases import SCHEDULE, length_of, only_bound
from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment, Rule
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import look_up, touch, written_at
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import Every

LENGTHS: tuple[Path, ...] = (*BOUNDS, ("evaluation", "every"))
"""What decides how many records a training makes."""

OPTIMIZER: Path = ("training", "optimizer")
WEIGHT_DECAY: Path = ("regularization", "weight_decay")


def _idle(path: Path, message: str, *reads: Path, hint: str | None = None) -> Problem:
    return Problem("no-effect", path, message, hint, severity="warning", reads=(path, *reads))


def patience_too_long(checked: Checked) -> Iterator[Problem]:
    """Early stopping can stop the training."""
    stop, records = checked.spec.training.early_stopping, num_records(checked)
    # The first record is the best so far, so that the earliest end is after 1 + patience records.
    if stop is not None and records is not None and stop.patience >= records - 1:
        unit = "epochs" if checked.spec.evaluation.every == Every(epochs=1) else "records"
        message = f"a patience of {stop.patience} cannot stop a training of {records} {unit} before its end"
        hint = f"write patience: {records - 2} or less" if records > 2 else None
        yield _idle(("training", "early_stopping", "patience"), message, *LENGTHS, hint=hint)


def plateau_never_reached(checked: Checked) -> Iterator[Problem]:
    """A phase that waits before the rate falls can come to the end of it, and the rate can fall."""
    training, every, bound = checked.spec.training, checked.spec.evaluation.every, only_bound(checked.spec.training)
    lengths = [length_of(phase) for phase in training.schedule]
    # In the unit in which both are counted; of phases of several units nothing is known.
    unit = bound[0] if bound is not None and {length.unit for length in lengths if length.number} <= {bound[0]} else ""
    of_a_record: int | None = getattr(every, unit, None)
    rest = 0 if bound is None else bound[1] - sum(length.number or 0 for length in lengths)
    for index, phase in enumerate(training.schedule):
        entry = checked.catalogue.find("schedules", phase.kind)
        if entry is None:
            continue
        waits, floor = entry.patience_argument, entry.min_lr_argument
        patience: Any
        patience, length = phase.args.get(waits or ""), rest if lengths[index].is_open else lengths[index].number
        records = None if of_a_record is None or length is None else length // of_a_record
        lr, min_lr = training.optimizer.args.get("lr"), phase.args.get(floor or "")
        if isinstance(patience, int) and records is not None and 0 < records <= patience:
            what = "epochs" if every == Every(epochs=1) else "records"
            message = f"a {waits} of {patience} never runs out in a phase of {records} {what}, so the rate never falls"
            hint = f"write {waits}: {records - 2} or less" if records > 2 else f"give the phase more {what}"
            place: Path = (*SCHEDULE, index)
            place = (*place, str(waits)) if waits in look_up(checked.written, place) else place
            yield _idle(place, message, *LENGTHS, SCHEDULE, hint=hint)
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
    """A pruner looks at points before their last epoch."""
    search = checked.spec.search
    if search is None or any(touch(parse_path(path), each) for path in search.space for each in LENGTHS):
        return
    records, place = num_records(checked), ("search", "pruner")
    unit = "epochs" if checked.spec.evaluation.every == Every(epochs=1) else "records"
    for name, what in (("min_epochs", "its first look"), ("warmup_epochs", "what every point is given")):
        given = search.pruner.args.get(name)
        if isinstance(given, int) and records is not None and given >= records:
            message = f"{search.pruner.kind} stops nothing: {what} is {given} {unit}, and a training is {records}"
            yield _idle((*place, name), message, *LENGTHS)


def startup_beyond_search(checked: CheckedExperiment) -> Iterator[Problem]:
    """Sampler and pruner begin before the last point."""
    search, place = checked.spec.search, ("search", "pruner")
    if search is None:
        return
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


def decay_of_nothing(checked: Checked) -> Iterator[Problem]:
    """Where it is said what decays, something does."""
    spec, optimizer = checked.spec, checked.spec.training.optimizer
    given = spec.regularization.weight_decay
    decay = optimizer.args.get("weight_decay") if given is None else given
    searched = () if spec.search is None else map(parse_path, spec.search.space)
    is_searched = any(path in (WEIGHT_DECAY, (*OPTIMIZER, "weight_decay")) for path in searched)
    if spec.training.decay == "weights" and decay == 0 and not is_searched:
        message = f"nothing decays: the weight_decay of {optimizer.kind} is 0"
        reads = (WEIGHT_DECAY, OPTIMIZER)
        yield _idle(("training", "decay"), message, *reads, hint="write regularization.weight_decay: 0.01")


EFFECT_RULES: tuple[Rule, ...] = (
    patience_too_long,
    plateau_never_reached,
    seed_of_nothing,
    splits_of_text,
    decay_of_nothing,
)
"""What in an experiment changes nothing."""
