"""A phase whose learning rate falls when a metric stops improving."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from craftc.components.bounds import EpochsOrRest, NonNegativeFloat, OpenFraction, PositiveInt, StepsOrNone


class ReduceOnPlateau:
    """Multiplies the rate by a factor whenever a metric has not improved for a while.

    As in early stopping, `patience` records without improvement are enough; torch's scheduler waits for one more. A
    record is an epoch unless evaluation.every says otherwise.

    Args:
        metric: What is watched, `<split>/<metric>`.
        mode: Which way is better; infer takes the metric's own direction.
        factor: What the rate is multiplied by.
        patience: Records without improvement before the rate falls.
        min_lr: The rate falls no further than this.
        epochs: Length of the phase; none: all that remain.
        steps: Its length in steps, in the place of epochs.
    """

    search_ranges: ClassVar = {"factor": {"choice": [0.1, 0.2, 0.5]}}
    patience_argument = "patience"
    min_lr_argument = "min_lr"
    depends_on_length = False

    def __init__(
        self,
        *,
        metric: str = "valid/loss",
        mode: Literal["min", "max", "infer"] = "infer",
        factor: OpenFraction = 0.1,
        patience: PositiveInt = 10,
        min_lr: NonNegativeFloat = 0.0,
        epochs: EpochsOrRest = "none",
        steps: StepsOrNone = "none",
    ) -> None:
        self.metric = metric
        # The compiler has replaced infer by then; here it serves those who build the class by hand.
        self.mode = mode if mode != "infer" else "min" if metric.endswith("loss") else "max"
        self.factor, self.patience, self.min_lr, self.epochs, self.steps = factor, patience, min_lr, epochs, steps
        self._best = math.inf
        self._num_bad_epochs = 0
        self._num_reductions = 0

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """Learning rate of `step`: `base_lr` reduced as often as `observe` found reason to."""
        return min(base_lr, max(self.min_lr, base_lr * self.factor**self._num_reductions))

    def observe(self, value: float) -> None:
        """Take in the metric's value after a record. NaN is no improvement."""
        score = value if self.mode == "min" else -value
        if score < self._best:
            self._best, self._num_bad_epochs = score, 0
            return
        self._num_bad_epochs += 1
        if self._num_bad_epochs >= self.patience:
            self._num_bad_epochs = 0
            self._num_reductions += 1

    def state_dict(self) -> dict[str, float]:
        """What `observe` has learned, as plain numbers."""
        return {
            "best": self._best,
            "num_bad_epochs": self._num_bad_epochs,
            "num_reductions": self._num_reductions,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self._best = float(state["best"])
        self._num_bad_epochs = int(state["num_bad_epochs"])
        self._num_reductions = int(state["num_reductions"])
