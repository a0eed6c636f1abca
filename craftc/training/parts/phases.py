"""Chains phases: says which of them a step of the training is in, and where in it."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar


class Phase(Protocol):
    """What lasts for some epochs of a training. `epochs` "none": all that remain."""

    epochs: int | Literal["none"]


P = TypeVar("P", bound=Phase)


class Place(NamedTuple, Generic[P]):
    """A step within its phase: `step` counts from 0, and `num_steps` are those of the phase."""

    phase: P
    step: int
    num_steps: int


class Chain(Generic[P]):
    """Phases one after another. Steps behind the last phase, if there are any, are as its last step.

    Raises ValueError where a phase before the last takes all epochs that remain, and where no phase lasts an epoch;
    `what` they are phases of, in words.
    """

    def __init__(self, phases: Sequence[P], *, what: str, num_epochs: int, steps_per_epoch: int) -> None:
        self.phases = phases
        self._steps_per_epoch = steps_per_epoch
        self._lengths = _lengths(phases, num_epochs, what)
        # Phase i covers epochs [starts[i], starts[i + 1]), counted from 0; an empty phase is never found.
        self._starts = [0, *accumulate(self._lengths)][:-1]
        self._last = max((i for i, length in enumerate(self._lengths) if length), default=0)

    def at(self, step: int) -> Place[P]:
        """The place of `step`, which counts from 0 over the whole training."""
        index = self._index(step // self._steps_per_epoch)
        num_steps = self._lengths[index] * self._steps_per_epoch
        in_phase = min(step - self._starts[index] * self._steps_per_epoch, num_steps - 1)
        return Place(self.phases[index], in_phase, num_steps)

    def of_epoch(self, epoch: int) -> P:
        """The phase of `epoch`, which counts from 1."""
        return self.phases[self._index(epoch - 1)]

    def _index(self, epoch: int) -> int:
        return min(bisect_right(self._starts, epoch) - 1, self._last)


def check_epochs(kind: str, phase: object) -> None:
    """Raises TypeError where a phase does not say how many epochs it takes."""
    epochs = getattr(phase, "epochs", None)
    if epochs != "none" and not (isinstance(epochs, int) and epochs >= 0):
        raise TypeError(f'{kind} has epochs = {epochs!r}; expected a whole number or "none"')


def is_finite(number: object) -> bool:
    """Whether what a phase gave is a number, and a finite one."""
    try:
        return math.isfinite(number)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False


def _lengths(phases: Sequence[Phase], num_epochs: int, what: str) -> list[int]:
    """Epochs of each phase."""
    lengths: list[int] = []
    for index, phase in enumerate(phases):
        if phase.epochs != "none":
            lengths.append(phase.epochs)
        elif index == len(phases) - 1:
            lengths.append(max(num_epochs - sum(lengths), 0))
        else:
            raise ValueError(f"phase {index} of {what} takes all epochs that remain, but is not the last")
    if not any(lengths):
        raise ValueError(f"no phase of {what} lasts an epoch")
    return lengths
