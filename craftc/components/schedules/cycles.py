"""Phases whose learning rate rises and falls within the phase, or falls several times."""

import math
from typing import Literal

from craftc.components.bounds import (
    BelowOne,
    EpochsOrRest,
    NonNegativeFloat,
    OpenFraction,
    PositiveInt,
    Probability,
    Ratio,
    StepsOrNone,
)
from craftc.components.declare import declares
from craftc.components.schedules.decays import Unit, in_steps

Shape = Literal["cosine", "linear"]


def between(start: float, end: float, progress: float, shape: Shape) -> float:
    """The rate at a share of the way from one to the other."""
    if shape == "linear":
        return start + (end - start) * progress
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


@declares(search_ranges={"pct_start": {"uniform": [0.1, 0.5]}, "div_factor": {"log_uniform": [5.0, 100.0]}})
class OneCycle:
    """Rises to the optimizer's rate and falls far below it, once over the phase (Smith and Topin 2018).

    The rates are those of torch's OneCycleLR whose `max_lr` is the optimizer's rate, and whose steps are the phase's.
    Momentum stays as it is: torch's scheduler also changes that unless `cycle_momentum` is False.

    Args:
        pct_start: Share of the phase in which the rate rises.
        div_factor: The optimizer's rate divided by that of the first step.
        final_div_factor: The rate of the first step divided by that of the last.
        shape: Whether the rate changes on half a cosine or on a straight line.
        three_phase: Fall to the rate of the first step in as many steps as the rise takes, and further in the others.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    def __init__(
        self,
        *,
        pct_start: OpenFraction = 0.3,
        div_factor: Ratio = 25.0,
        final_div_factor: Ratio = 1e4,
        shape: Shape = "cosine",
        three_phase: bool = False,
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._pct_start, self._div_factor, self._final_div_factor = pct_start, div_factor, final_div_factor
        self._shape, self._three_phase = shape, three_phase
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        first = base_lr / self._div_factor
        # The step at which each part ends, and the rate there; the highest may lie between two steps, as torch has it.
        top = self._pct_start * num_steps - 1
        ends = [(top, base_lr)]
        if self._three_phase:
            ends.append((2 * self._pct_start * num_steps - 2, first))
        ends.append((num_steps - 1, first / self._final_div_factor))
        begin, start = 0.0, first
        for end, rate in ends:
            if step <= end or end == num_steps - 1:
                length = end - begin
                return between(start, rate, min(1.0, (step - begin) / length) if length > 0 else 1.0, self._shape)
            begin, start = end, rate
        raise AssertionError("the last part ends with the phase")


@declares(search_ranges={"decay": {"uniform": [0.05, 0.4]}})
class WarmupStableDecay:
    """Rises on a line, stays, and falls at the end of the phase (WSD; Hu et al. 2024, MiniCPM).

    With `warmup: 0`, and a linear_warmup before it, the rise can be counted in steps.

    Args:
        warmup: Share of the phase in which the rate rises from 0.
        decay: Share of the phase, its last, in which the rate falls.
        shape: How it falls: on a straight line, on half a cosine, or as one less the root of the progress (1-sqrt;
            Haegele et al. 2024).
        end_lr: Learning rate that the phase ends at.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    low_lr_argument = "end_lr"
    constraints = ("warmup + decay <= 1",)

    def __init__(
        self,
        *,
        warmup: BelowOne = 0.0,
        decay: Probability = 0.1,
        shape: Literal["linear", "cosine", "one_minus_sqrt"] = "linear",
        end_lr: NonNegativeFloat = 0.0,
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._warmup, self._decay, self._shape, self._end_lr = warmup, decay, shape, end_lr
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        num_rising, num_falling = round(self._warmup * num_steps), round(self._decay * num_steps)
        if step < num_rising:
            return base_lr * step / num_rising
        if step < num_steps - num_falling or num_falling == 0:
            return base_lr
        progress = (step - (num_steps - num_falling)) / num_falling
        if self._shape == "one_minus_sqrt":
            return self._end_lr + (base_lr - self._end_lr) * (1 - math.sqrt(progress))
        return between(base_lr, self._end_lr, progress, self._shape)


@declares(search_ranges={"period_factor": {"int": [1, 3]}})
class CosineRestarts:
    """Falls on half a cosine again and again (SGDR; Loshchilov and Hutter 2017), as torch's
    CosineAnnealingWarmRestarts does where that is stepped by fractions of an epoch.

    Args:
        period: Epochs or steps of the first fall.
        period_factor: How many times as long each fall is as the one before.
        end_lr: Learning rate that each fall ends at.
        unit: What `period` counts.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False
    low_lr_argument = "end_lr"

    def __init__(
        self,
        *,
        period: PositiveInt,
        period_factor: PositiveInt = 1,
        end_lr: NonNegativeFloat = 0.0,
        unit: Unit = "epochs",
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self._period, self._period_factor, self._end_lr, self._unit = period, period_factor, end_lr, unit
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        length = in_steps(self._period, self._unit, steps_per_epoch)
        if self._period_factor == 1:
            step %= length
        while step >= length:
            step -= length
            length *= self._period_factor
        return between(base_lr, self._end_lr, step / length, "cosine")
