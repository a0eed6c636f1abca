"""Rules of numbers that make no sense beside each other: each yields warnings, for a spec may mean them."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.data_kinds import SOURCE
from craftc.compiler.checking.rules.lengths import BOUNDS, num_steps
from craftc.compiler.checking.rules.phases import SCHEDULE
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.pass_names import passes_of, plain_measure
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import short_name
from craftc.schemas.diagnostic import Path

LR: Path = ("training", "optimizer", "lr")
BETAS: Path = ("training", "optimizer", "betas")
DECAY: Path = ("training", "optimizer", "weight_decay")
STOP: Path = ("training", "early_stopping")
EMA: Path = ("regularization", "ema_decay")
AVERAGE: Path = ("regularization", "average")


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


def betas_the_wrong_way(checked: Checked) -> Iterator[Problem]:
    """The mean of squares of an optimizer such as Adam looks back further than that of gradients."""
    betas = checked.spec.training.optimizer.args.get("betas")
    if not isinstance(betas, list | tuple) or len(betas) != 2 or not all(isinstance(b, int | float) for b in betas):
        return
    first, second = betas
    if first > second:
        message = (
            f"betas are {first:g} for the mean of gradients and {second:g} for that of their squares, which is to look "
            "back further"
        )
        yield Problem("values-disagree", BETAS, message, f"write betas: [{second:g}, {first:g}]", severity="warning")


def decay_of_a_step(checked: Checked) -> Iterator[Problem]:
    """What decay takes of a weight at each step is a small part of it."""
    optimizer, asked = checked.spec.training.optimizer, checked.spec.regularization.weight_decay
    lr, decay = optimizer.args.get("lr"), optimizer.args.get("weight_decay") if asked is None else asked
    if not isinstance(lr, int | float) or not isinstance(decay, int | float) or lr * decay < 1:
        return
    path: Path = DECAY if asked is None else ("regularization", "weight_decay")
    message = (
        f"weight_decay {decay:g} times lr {lr:g} is {lr * decay:g}: decay alone would leave nothing of a weight after "
        "one step, or turn its sign"
    )
    hint = f"write weight_decay well below {1 / lr:g}, or a lower lr"
    yield Problem("values-disagree", path, message, hint, severity="warning", reads=(path, LR))


def average_too_slow(checked: Checked) -> Iterator[Problem]:
    """An average of weights looks back over fewer steps than there are, where their number is known."""
    steps, average = num_steps(checked), checked.spec.regularization.average
    if average is not None and checked.spec.regularization.ema_decay is not None:
        message = "ema_decay and average both say how weights are averaged, and average is what is done"
        yield Problem("values-disagree", EMA, message, "write one of them", reads=(EMA, AVERAGE))
    if steps is None:
        return
    if told := slow_average(checked.spec.regularization.ema_decay, steps):
        sizes: tuple[Path, ...] = (("training", "batch_size"), ("training", "accumulate"))
        reads = (EMA, *BOUNDS, *sizes, ("data", "splits"), (*SOURCE, "kind"))
        yield Problem("values-disagree", EMA, *told, severity="warning", reads=reads)


def slow_average(decay: float | None, num_steps: int) -> tuple[str, str] | None:
    """What is wrong with an average whose memory, 1 / (1 - decay) steps, exceeds the training, and what to do."""
    if decay is None or (1 - decay) * num_steps >= 1 - 1e-9:
        return None
    message = (
        f"an average of weights with ema_decay {decay:g} looks back over {1 / (1 - decay):,.0f} steps, and there are "
        f"about {num_steps:,}: {decay**num_steps:.0%} of it are the weights of the first step"
    )
    good = f"ema_decay: {1 - float(f'{10 / num_steps:.1g}'):g} or less" if num_steps > 20 else "ema_decay: none"
    return message, f"write {good}, or train longer"


VALUE_RULES: tuple[Rule, ...] = (
    rate_goes_the_other_way,
    improvement_out_of_reach,
    betas_the_wrong_way,
    decay_of_a_step,
    average_too_slow,
)
"""What each value allows and both together do not mean."""
