"""Computes what the loss of a batch adds up from, by model and objective as they stand or compiled."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from craftc.training.data.device_split import Batch
from craftc.training.foundation.precision import Precision
from craftc.training.parts.calls import Calls, MeasureCall
from craftc.training.parts.mixing import SHARE, mixed_loss
from craftc.training.parts.objective import sum_and_weight

LossFunction = Callable[[Batch], tuple[Tensor, Tensor]]


class Loss:
    """The loss of a batch as (sum, weight). What is compiled takes batches of one shape; all others go as they are,
    since a shape that comes once an epoch, that of its last batch, is not worth a compilation of its own."""

    def __init__(
        self,
        precision: Precision,
        model: nn.Module,
        objective: nn.Module,
        calls: Calls,
        call: MeasureCall,
        mixes_by_vmap: bool = True,
    ) -> None:
        self._precision, self._objective, self._calls, self._call = precision, objective, calls, call
        self._by_vmap = mixes_by_vmap
        self._predict = partial(calls.predict, model)
        self._compiled: LossFunction | None = None
        self._shape: torch.Size | None = None

    def use(self, compiled: LossFunction | None, shape: torch.Size | None = None) -> None:
        """Compute batches of inputs of that shape by another function; None: by none."""
        self._compiled, self._shape = compiled, shape

    def shape_of(self, batch: Batch) -> torch.Size:
        """By which batches differ: that of the first input."""
        return batch[self._calls.first].shape

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of a batch as the model is given it."""
        if self._compiled is not None and self.shape_of(batch) == self._shape:
            return self._compiled(batch)
        return self.as_it_stands(batch)

    def as_it_stands(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same, by torch's own kernels one after another."""
        output = self._precision.output(self._predict, batch)
        if SHARE in batch:
            return mixed_loss(self._objective, self._call, self._calls, output, batch, by_vmap=self._by_vmap)
        return sum_and_weight(self._objective, self._call, self._calls.given(output, batch))
