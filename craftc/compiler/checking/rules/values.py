"""Rules of numbers that make no sense beside each other: each yields warnings, for a spec may mean them."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.phases import SCHEDULE
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.pass_names import passes_of, plain_measure
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import short_name
from craftc.schemas.diagnostic import Path

LR: Path = ("training", "optimizer", "lr")
STOP: Path = ("training", "early_stopping")


def rate_goes_the_other_way(checked: Checked) -> Iterator[Problem]:
    """A warm-up starts below the optimizer's rate, and a decay ends below it."""
    lr = checked.spec.training.optimizer.args.get("lr")
    for index, phase in enumerate(checked.spec.training.schedule):
        entry = checked.catalogue.find("schedules", phase.kind)
        name = entry.low_lr_argument if entry is not None else None
        low = phase.args.get(name or "")
        if name is None or not isinstance(lr, int | float) or not isinstance(low, int | float) or low < lr:
            continue
        place: Path = (*SCHEDULE, index, name)
        hint, reads = f"write {name} below {lr:g}, or another lr", (place, LR)
        if low == lr:
            message = f"{name} of {phase.kind} is the optimizer's lr, {lr:g}: the rate stays where it is"
            yield Problem("no-effect", place, message, hint, severity="warning", reads=reads)
        else:
            message = f"{name} {low:g} of {phase.kind} is above the optimizer's lr, {lr:g}: the rate goes the other way"
            yield Problem("values-disagree", place, message, hint, severity="warning", reads=reads)


def improvement_out_of_reach(checked: Checked) -> Iterator[Problem]:
    """A metric that has bounds can improve by more than what counts as an improvement."""
    stop = checked.spec.training.early_stopping
    if stop is None or stop.min_delta == 0:
        return
    name = plain_measure(stop.metric, passes_of(checked.spec))
    kind = next((each.kind for each in checked.spec.objective.metrics if short_name(each.kind) == name), None)
    entry = checked.catalogue.find("metrics", kind) if kind is not None else None
    if entry is None or entry.bounds is None or stop.min_delta < entry.bounds[1] - entry.bounds[0]:
        return
    least, greatest = entry.bounds
    between = f"which lies between {least:g} and {greatest:g}"
    message = f"no epoch can improve on the first by more than {stop.min_delta:g} in {stop.metric}, {between}"
    hint = f"write a min_delta well below {greatest - least:g}, such as {(greatest - least) / 1000:g}"
    place: Path = (*STOP, "min_delta")
    reads = (place, (*STOP, "metric"))
    yield Problem("values-disagree", place, message, hint, severity="warning", reads=reads)


VALUE_RULES: tuple[Rule, ...] = (rate_goes_the_other_way, improvement_out_of_reach)
"""What each value allows and both together do not mean."""
