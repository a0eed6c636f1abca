"""Phases of a named number, such as the probability of teacher forcing, which depend only on the step.

The step after a phase is the first to have its `end`, as with phases of the learning rate. By epoch, all steps of an
epoch have the value of its first.
"""

import math
from typing import Literal

from craftc.components.bounds import EpochsOrRest, PositiveFloat, StepsOrNone

Unit = Literal["step", "epoch"]


class Constant:
    """Keeps one value.

    Args:
        value: The value of every step.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(self, *, value: float, epochs: EpochsOrRest = "none", steps: StepsOrNone = "none") -> None:
        self._value, self.epochs, self.steps = value, epochs, steps

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The same, whatever the step."""
        return self._value


class Linear:
    """Goes on a straight line from one value to another.

    Args:
        start: The value of the first step.
        end: The value of the step after the phase.
        epochs: Length of the phase; none: all that remain.
        by: Whether the value changes with every step or with every epoch.
        steps: Its length in steps, in the place of epochs.
    """

    def __init__(
        self,
        *,
        start: float,
        end: float,
        epochs: EpochsOrRest = "none",
        by: Unit = "step",
        steps: StepsOrNone = "none",
    ) -> None:
        self._start, self._end, self.epochs, self._by, self.steps = start, end, epochs, by, steps

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The value of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        return self._start + (self._end - self._start) * _progress(step, num_steps, steps_per_epoch, self._by)


class Cosine:
    """Goes on half a cosine from one value to another, slowly at both ends.

    Args:
        start: The value of the first step.
        end: The value of the step after the phase.
        epochs: Length of the phase; none: all that remain.
        by: Whether the value changes with every step or with every epoch.
        steps: Its length in steps, in the place of epochs.
    """

    def __init__(
        self,
        *,
        start: float,
        end: float,
        epochs: EpochsOrRest = "none",
        by: Unit = "step",
        steps: StepsOrNone = "none",
    ) -> None:
        self._start, self._end, self.epochs, self._by, self.steps = start, end, epochs, by, steps

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The value of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        progress = _progress(step, num_steps, steps_per_epoch, self._by)
        return self._end + (self._start - self._end) * (1 + math.cos(math.pi * progress)) / 2


class Exponential:
    """Goes from one value to another by the same factor in every step.

    Args:
        start: The value of the first step.
        end: The value of the step after the phase.
        epochs: Length of the phase; none: all that remain.
        by: Whether the value changes with every step or with every epoch.
        steps: Its length in steps, in the place of epochs.
    """

    def __init__(
        self,
        *,
        start: PositiveFloat,
        end: PositiveFloat,
        epochs: EpochsOrRest = "none",
        by: Unit = "step",
        steps: StepsOrNone = "none",
    ) -> None:
        self._start, self._end, self.epochs, self._by, self.steps = start, end, epochs, by, steps

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The value of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        progress = _progress(step, num_steps, steps_per_epoch, self._by)
        return float(self._start * (self._end / self._start) ** progress)


def _progress(step: int, num_steps: int, steps_per_epoch: int, by: Unit) -> float:
    """The share of the phase that lies before `step`, or before its epoch."""
    return (step if by == "step" else step - step % steps_per_epoch) / max(1, num_steps)
