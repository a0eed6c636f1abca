"""Phases whose learning rate falls by a formula of the step, or of the epoch, within the phase.

Where a phase has a `unit`, what it counts is epochs or steps, each from the beginning of the phase.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import MinLen

from craftc.components.bounds import (
    EpochsOrRest,
    NonNegativeFloat,
    OpenFraction,
    PositiveFloat,
    PositiveInt,
    StepsOrNone,
)
from craftc.components.declare import declares

Unit = Literal["epochs", "steps"]


def counted(step: int, unit: Unit, steps_per_epoch: int) -> int:
    """How many epochs, or steps, of a phase are over before `step` of it."""
    return step // steps_per_epoch if unit == "epochs" else step


def in_steps(number: int, unit: Unit, steps_per_epoch: int) -> int:
    """So many epochs, or steps, in steps."""
    return number * steps_per_epoch if unit == "epochs" else number


@declares(search_ranges={"gamma": {"uniform": [0.05, 0.7]}})
class Step:
    """Multiplies the rate by a factor after every so many epochs or steps, as torch's StepLR does.

    Args:
        step_size: Epochs or steps between two reductions.
        gamma: What the rate is multiplied by at each.
        unit: What `step_size` counts.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(
        self,
        *,
        step_size: PositiveInt,
        gamma: OpenFraction = 0.1,
        unit: Unit = "epochs",
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._step_size, self._gamma, self._unit = step_size, gamma, unit
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        rate: float = base_lr * self._gamma ** (counted(step, self._unit, steps_per_epoch) // self._step_size)
        return rate


@declares(search_ranges={"gamma": {"uniform": [0.05, 0.7]}})
class MultiStep:
    """Multiplies the rate by a factor at each of several epochs or steps, as torch's MultiStepLR does.

    Args:
        milestones: Epochs or steps of the phase after which the rate falls, in any order; one that stands there twice
            reduces it twice.
        gamma: What the rate is multiplied by at each.
        unit: What `milestones` count.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(
        self,
        *,
        milestones: Annotated[Sequence[PositiveInt], MinLen(1)],
        gamma: OpenFraction = 0.1,
        unit: Unit = "epochs",
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._milestones, self._gamma, self._unit = sorted(milestones), gamma, unit
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        num_passed = bisect_right(self._milestones, counted(step, self._unit, steps_per_epoch))
        rate: float = base_lr * self._gamma**num_passed
        return rate


@declares(search_ranges={"gamma": {"uniform": [0.8, 0.99]}})
class Exponential:
    """Multiplies the rate by a factor after every epoch or step, as torch's ExponentialLR does.

    Args:
        gamma: What the rate is multiplied by at each.
        unit: Whether that is after every epoch or after every step.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(
        self,
        *,
        gamma: OpenFraction,
        unit: Unit = "epochs",
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._gamma, self._unit = gamma, unit
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        rate: float = base_lr * self._gamma ** counted(step, self._unit, steps_per_epoch)
        return rate


@declares(search_ranges={"power": {"uniform": [0.5, 3.0]}})
class Polynomial:
    """Falls as a power of the share of the phase that is left, as torch's PolynomialLR does, which ends at 0.

    Args:
        power: Exponent; 1 is a straight line.
        end_lr: Learning rate that the phase ends at.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    low_lr_argument = "end_lr"

    def __init__(
        self,
        *,
        power: PositiveFloat = 1.0,
        end_lr: NonNegativeFloat = 0.0,
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._power, self._end_lr = power, end_lr
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        left = 1 - min(1.0, step / max(1, num_steps))
        rate: float = self._end_lr + (base_lr - self._end_lr) * left**self._power
        return rate


@declares(search_ranges={"timescale": {"log_int": [100, 10000]}})
class InverseSqrt:
    """Falls as one over the root of the step, behind a linear rise of its own (Vaswani et al. 2017).

    The rate is the optimizer's at its highest, `base * min(n / timescale, sqrt(timescale / n))` at the n-th step, which
    counts from 1. In the paper it is that of the width of the model, d**-0.5 * timescale**-0.5.

    Args:
        timescale: Steps, or epochs, of the rise; after four times as many the rate is half of its highest.
        warmup: Whether the phase begins with the rise. Without it the rate falls from the first step on, as behind a
            linear_warmup of as many steps.
        unit: What `timescale` counts.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(
        self,
        *,
        timescale: PositiveInt = 4000,
        warmup: bool = True,
        unit: Unit = "steps",
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._timescale, self._warmup, self._unit = timescale, warmup, unit
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        timescale = in_steps(self._timescale, self._unit, steps_per_epoch)
        if not self._warmup:
            return base_lr * math.sqrt(timescale / (timescale + step))
        return base_lr * min((step + 1) / timescale, math.sqrt(timescale / (step + 1)))
