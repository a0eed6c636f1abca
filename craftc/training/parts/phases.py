"""Chains phases: says which of them a step of the training is in, and where in it."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, NamedTuple, Protocol, TypeVar


class Phase(Protocol):
    """What lasts for a part of a training. It says how long by its `epochs`, passes over the train split, or else by
    its `steps`; it has one of the two at least. Where neither is a number, it takes all that remains."""


P = TypeVar("P", bound=Phase)


class Place(NamedTuple, Generic[P]):
    """A step within its phase: `step` counts from 0, and `num_steps` are those of the phase."""

    phase: P
    step: int
    num_steps: int


class Chain(Generic[P]):
    """Phases one after another. Steps behind the last phase, if there are any, are as its last step.

    Raises ValueError where a phase before the last takes all that remains, where no phase lasts a step, and where they
    are longer than the training; `what` they are phases of, in words.
    """

    def __init__(self, phases: Sequence[P], *, what: str, num_steps: int, steps_per_epoch: int) -> None:
        self.phases = phases
        self.lengths = _lengths(phases, num_steps, steps_per_epoch, what)
        # Phase i covers steps [starts[i], starts[i + 1]); an empty phase is never found.
        self._starts = [0, *accumulate(self.lengths)][:-1]
        self._last = max((i for i, length in enumerate(self.lengths) if length), default=0)

    def at(self, step: int) -> Place[P]:
        """The place of `step`, which counts from 0 over the whole training."""
        index = min(bisect_right(self._starts, step) - 1, self._last)
        num_steps = self.lengths[index]
        return Place(self.phases[index], min(step - self._starts[index], num_steps - 1), num_steps)


def check_length(kind: str, phase: object) -> None:
    """Raises TypeError where a phase does not say how long it lasts."""
    given = {name: getattr(phase, name) for name in ("epochs", "steps") if hasattr(phase, name)}
    if not given:
        raise TypeError(f'{kind} has neither epochs nor steps; expected epochs = a whole number or "none"')
    if isinstance(given.get("epochs"), int):
        # An attribute of that name may be anything then.
        given.pop("steps", None)
    for name, length in given.items():
        if length != "none" and not (isinstance(length, int) and length >= 0):
            raise TypeError(f'{kind} has {name} = {length!r}; expected a whole number or "none"')


def num_steps_of(epochs: object, steps: object, steps_per_epoch: int) -> int | None:
    """How many steps a phase lasts, by what it or its setting says; None for all that remain."""
    if isinstance(epochs, int):
        return epochs * steps_per_epoch
    return steps if isinstance(steps, int) else None


def is_finite(number: object) -> bool:
    """Whether what a phase gave is a number, and a finite one."""
    try:
        return math.isfinite(number)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False


def _lengths(phases: Sequence[Phase], num_steps: int, steps_per_epoch: int, what: str) -> list[int]:
    """Steps of each phase."""
    lengths: list[int] = []
    for index, phase in enumerate(phases):
        length = num_steps_of(getattr(phase, "epochs", "none"), getattr(phase, "steps", "none"), steps_per_epoch)
        if length is not None:
            lengths.append(length)
        elif index == len(phases) - 1:
            lengths.append(max(num_steps - sum(lengths), 0))
        else:
            raise ValueError(f"phase {index} of {what} takes all that remains, but is not the last")
    if sum(lengths) > num_steps:
        raise ValueError(f"the phases of {what} take {sum(lengths)} steps, and the training has {num_steps}")
    if not any(lengths):
        raise ValueError(f"no phase of {what} lasts a step")
    return lengths
