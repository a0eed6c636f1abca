"""Phases whose learning rate depends only on the step."""

import math
from typing import ClassVar

from craftc.components.bounds import EpochsOrRest, LengthOrNone, NonNegativeFloat, StepsOrNone


class LinearWarmup:
    """Rises on a straight line to the optimizer's rate, which the step after the phase is the first to use.

    Args:
        epochs: Length of the phase; 0 skips it.
        start_lr: Learning rate of the first step.
        steps: Its length in steps, in the place of epochs; 0 skips it.
    """

    low_lr_argument = "start_lr"
    search_ranges: ClassVar = {"epochs": {"choice": [0, 1, 2, 5]}}

    def __init__(
        self, *, epochs: LengthOrNone = "none", start_lr: NonNegativeFloat = 0.0, steps: LengthOrNone = "none"
    ) -> None:
        self.epochs, self.steps = epochs, steps
        self.start_lr = start_lr

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        return self.start_lr + (base_lr - self.start_lr) * min(1.0, step / max(1, num_steps))


class Cosine:
    """Falls on half a cosine from the optimizer's rate (Loshchilov and Hutter 2017, one period).

    Args:
        epochs: Length of the phase; none: all that remain.
        end_lr: Learning rate that the phase ends at.
        steps: Its length in steps, in the place of epochs.
    """

    low_lr_argument = "end_lr"

    def __init__(
        self, *, epochs: EpochsOrRest = "none", end_lr: NonNegativeFloat = 0.0, steps: StepsOrNone = "none"
    ) -> None:
        self.epochs, self.steps = epochs, steps
        self.end_lr = end_lr

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`, which counts from 0 to `num_steps` - 1 within the phase."""
        progress = min(1.0, step / max(1, num_steps))
        return self.end_lr + (base_lr - self.end_lr) * (1 + math.cos(math.pi * progress)) / 2


class Constant:
    """Keeps the optimizer's rate.

    Args:
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    depends_on_length = False

    def __init__(self, *, epochs: EpochsOrRest = "none", steps: StepsOrNone = "none") -> None:
        self.epochs, self.steps = epochs, steps

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """`base_lr`, whatever the step."""
        return base_lr
