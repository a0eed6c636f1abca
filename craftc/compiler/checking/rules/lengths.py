"""Rules of how long a training is, when it records, and when it is saved: one function and one code each."""

from collections.abc import Iterator
from math import ceil

from craftc.compiler.checking.rules.data import num_train_samples
from craftc.compiler.checking.rules.data_kinds import SOURCE_KIND, given_kinds
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.declared_words import kinds_in_words
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Training

TOKENS: Path = ("training", "max_tokens")
BOUNDS: tuple[Path, ...] = (("training", "epochs"), ("training", "max_steps"), TOKENS)
ABOUT = 0.9
"""How far below what it is compared with a number of steps is that is known about alone, since splits are rounded."""


def no_end(checked: Checked) -> Iterator[Problem]:
    """A training ends."""
    training = checked.spec.training
    if training.epochs is None and training.max_steps is None and training.max_tokens is None:
        message = "nothing ends the training: epochs, max_steps and max_tokens are none"
        yield Problem("no-end", ("training",), message, "write one of them", reads=BOUNDS)


def one_length(checked: Checked) -> Iterator[Problem]:
    """What comes again is counted in one unit."""
    every, saved = checked.spec.evaluation.every, checked.spec.resources.checkpoint_every
    pairs: list[tuple[Path, dict[str, float | None]]] = [
        (("evaluation", "every"), {"epochs": every.epochs, "steps": every.steps})
    ]
    if saved is not None:
        pairs.append((("resources", "checkpoint_every"), {"steps": saved.steps, "minutes": saved.minutes}))
    average = checked.spec.regularization.average
    for key, length in () if average is None else (("start", average.start), ("every", average.every)):
        if length is not None:
            place: Path = ("regularization", "average", key)
            pairs.append((place, {"epochs": length.epochs, "steps": length.steps}))
    for place, lengths in pairs:
        given = [unit for unit, length in lengths.items() if length is not None]
        if len(given) != 1:
            one, other = lengths
            what = f"both {one} and {other}" if given else f"neither {one} nor {other}"
            message = f'"{format_path(place)}" has {what}, and is one of the two long'
            yield Problem("one-length", place, message, f"write one of {one} and {other}")


def no_tokens(checked: Checked) -> Iterator[Problem]:
    """Tokens are counted where there are some."""
    source = checked.spec.data.source.kind
    kinds = given_kinds(source, checked.catalogue)
    if checked.spec.training.max_tokens is not None and "text" not in kinds:
        message = f"max_tokens counts tokens of text, and {source} gives {kinds_in_words(kinds)}"
        yield Problem("no-tokens", TOKENS, message, "write max_steps, or epochs", reads=(TOKENS, SOURCE_KIND))


def never_reached(checked: Checked) -> Iterator[Problem]:
    """Of two bounds either can end a training, as far as the size of train is known."""
    training = checked.spec.training
    epochs, steps = training.epochs, training.max_steps
    if epochs is None or steps is None or (of_a_pass := _steps_of_a_pass(checked)) is None:
        return
    # About: the splits are rounded.
    if steps < ABOUT * epochs * of_a_pass:
        message = f"epochs {epochs} is about {epochs * of_a_pass:,} steps, and max_steps ends the training at {steps:,}"
        yield _idle(BOUNDS[0], message)
    elif epochs * of_a_pass < ABOUT * steps:
        message = f"epochs {epochs} ends the training after about {epochs * of_a_pass:,} steps, before max_steps"
        yield _idle(BOUNDS[1], message)


def _steps_of_a_pass(checked: Checked) -> int | None:
    training, num_train = checked.spec.training, num_train_samples(checked)
    return None if num_train is None else max(1, ceil(num_train / samples_of_step(training)))


def samples_of_step(training: Training) -> int:
    """What a step takes."""
    return training.batch_size * training.accumulate


def num_steps(checked: Checked) -> int | None:
    """About how many steps a training takes, where that is known without reading data."""
    training, of_a_pass = checked.spec.training, _steps_of_a_pass(checked)
    bounds = [training.max_steps] if training.max_steps is not None else []
    if training.epochs is not None and of_a_pass is not None:
        bounds.append(training.epochs * of_a_pass)
    is_known = training.max_tokens is None and (training.epochs is None or of_a_pass is not None)
    return min(bounds) if bounds and is_known else None


def num_records(checked: Checked) -> int | None:
    """How many records a training makes, where that is known without reading data."""
    training, every = checked.spec.training, checked.spec.evaluation.every
    for length, bound, others in (
        (every.epochs, training.epochs, (training.max_steps, training.max_tokens)),
        (every.steps, training.max_steps, (training.epochs, training.max_tokens)),
    ):
        if length is not None and bound is not None and others == (None, None):
            return ceil(bound / length)
    return None


def never_saved(checked: Checked) -> Iterator[Problem]:
    """A state is saved within a record before that is over."""
    saved, every = checked.spec.resources.checkpoint_every, checked.spec.evaluation.every
    if saved is not None and saved.steps is not None and every.steps is not None and saved.steps % every.steps == 0:
        place: Path = ("resources", "checkpoint_every", "steps")
        message = f"the state is saved at the end of each record, every {every.steps} steps, and so at all of these"
        yield _idle(place, message, ("evaluation", "every"))


def never_averaged(checked: Checked) -> Iterator[Problem]:
    """An average of weights begins before the training is over."""
    average, training = checked.spec.regularization.average, checked.spec.training
    start = None if average is None else average.start
    bounds = {"epochs": training.epochs, "steps": training.max_steps}
    for unit, bound in bounds.items() if start is not None else ():
        given = getattr(start, unit)
        if given is not None and bound is not None and given >= bound:
            place: Path = ("regularization", "average", "start", unit)
            message = f"weights are averaged behind {given} {unit}, and the training ends after {bound}"
            yield _idle(place, message)


def _idle(path: Path, message: str, *reads: Path) -> Problem:
    return Problem("no-effect", path, message, severity="warning", reads=(path, *(reads or BOUNDS)))


LENGTH_RULES: tuple[Rule, ...] = (no_end, one_length, no_tokens, never_reached, never_saved, never_averaged)
"""How long a training is, and when it records."""
