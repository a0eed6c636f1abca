"""Splits as tensors on the device, and the batches that are gathered from them by index.

B: samples of a batch, N: samples of a split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from craftc.training.prepare import Split

EVALUATION_NUMBERS = 2**20
"""Input numbers in a batch of evaluation: 16,384 digits, or 7 colour images of 224 x 224 pixels."""
NUMBERS_PER_PREDICTION = 64
"""What a prediction counts for at least: a token is one number, but a model makes many of it, and a logit for each
token of the vocabulary. 16,384 tokens are a batch."""


@dataclass(frozen=True)
class DeviceSplit:
    """`x` float32 (N, *shape) and `y` int64 (N,), or both int64 (N, T), on one device."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


def to_device(
    splits: Mapping[str, Split], device: torch.device, dtype: torch.dtype = torch.float32
) -> dict[str, DeviceSplit]:
    """Every split whole. Inputs that are no whole numbers are in `dtype`, which may be float64. On the CPU the arrays'
    memory is shared, not copied."""
    return {name: _on_device(split, device, dtype) for name, split in splits.items()}


def _on_device(split: Split, device: torch.device, dtype: torch.dtype) -> DeviceSplit:
    x, y = torch.from_numpy(split.inputs), torch.from_numpy(split.targets)
    return DeviceSplit(x.to(device, dtype if x.is_floating_point() else None), y.to(device))


def num_batches(num_samples: int, batch_size: int) -> int:
    """With the last, partial one."""
    return -(-num_samples // batch_size)


def train_batches(split: DeviceSplit, order: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Copies of samples in the given order (N,); the last batch may be smaller."""
    for indices_B in torch.split(order.to(split.x.device), batch_size):
        yield split.x.index_select(0, indices_B), split.y.index_select(0, indices_B)


def evaluation_batches(split: DeviceSplit, train_batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Copies of all samples in their order, as many at once as are cheap; never fewer than a training batch."""
    numbers_per_sample = max(split.x[0].numel(), split.y[0].numel() * NUMBERS_PER_PREDICTION)
    size = max(EVALUATION_NUMBERS // numbers_per_sample, train_batch_size)
    for x, y in zip(torch.split(split.x, size), torch.split(split.y, size), strict=True):
        # A model that works in place on its input must not change the data that other trials share.
        yield x.clone(), y
