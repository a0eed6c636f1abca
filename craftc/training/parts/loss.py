"""Computes what the loss of a batch adds up from, by model and objective as they stand or compiled."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from craftc.training.foundation.precision import Precision
from craftc.training.parts.objective import sum_and_weight

LossFunction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Loss:
    """The loss of a batch as (sum, weight). What is compiled takes batches of one shape; all others go as they are,
    since a shape that comes once an epoch, that of its last batch, is not worth a compilation of its own."""

    def __init__(self, precision: Precision, model: nn.Module, objective: nn.Module) -> None:
        self._precision, self._model, self._objective = precision, model, objective
        self._compiled: LossFunction | None = None
        self._shape: torch.Size | None = None

    def use(self, compiled: LossFunction | None, shape: torch.Size | None = None) -> None:
        """Compute batches of inputs of that shape by another function; None: by none."""
        self._compiled, self._shape = compiled, shape

    def __call__(self, x_B: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """Of inputs and targets of a batch."""
        if self._compiled is not None and x_B.shape == self._shape:
            return self._compiled(x_B, y_B)
        return self.as_it_stands(x_B, y_B)

    def as_it_stands(self, x_B: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """The same, by torch's own kernels one after another."""
        return sum_and_weight(self._objective, self._precision.logits(self._model, x_B), y_B)
