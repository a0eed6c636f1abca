"""Holds splits as tensors on the device and gathers batches from them by index; a split that does not fit there stays
on the host, and its batches are sent.

B: samples of a batch, N: samples of a split.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from craftc.training.data.prepare import Split

log = logging.getLogger(__name__)

EVALUATION_NUMBERS = 2**20
"""Input numbers in a batch of evaluation: 16,384 digits, or 7 colour images of 224 x 224 pixels."""
NUMBERS_PER_PREDICTION = 64
"""What a prediction counts for at least, and otherwise what it has logits: a token is one number, but a model makes
many of it. 16,384 tokens are a batch, and 20 where each is one of 50,000."""


RESIDENT_SHARE = 1 / 3
"""Of a device's memory that is free, what splits may take; model, optimizer and what a step computes take the rest."""


@dataclass(frozen=True)
class DeviceSplit:
    """`x` float32 (N, *shape) and `y` int64 (N,), or both int64 (N, T), on one device; batches in `dtype` are sent to
    another where that is `sent_to`. Of `num_classes` each prediction is one."""

    x: Tensor
    y: Tensor
    sent_to: torch.device | None = None
    dtype: torch.dtype | None = None
    num_classes: int = 0

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, x_B: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """Samples of it as they come to a step. A GPU takes them while this process goes on."""
        if self.sent_to is None:
            return x_B, y_B
        return x_B.to(self.sent_to, self.dtype, non_blocking=True), y_B.to(self.sent_to, non_blocking=True)


def to_device(
    splits: Mapping[str, Split],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    *,
    resident_bytes: float | None = None,
    num_classes: int = 0,
) -> dict[str, DeviceSplit]:
    """Every split that fits into `resident_bytes` of the device, one after another; None: into a share of what is free.
    The others stay where they are, and are streamed.

    Inputs that are no whole numbers come in `dtype`, which may be float64. On the CPU the arrays' memory is shared, not
    copied, and all of them fit.
    """
    room = _room(device) if resident_bytes is None else resident_bytes
    found: dict[str, DeviceSplit] = {}
    for name, split in splits.items():
        x, y = torch.from_numpy(split.inputs), torch.from_numpy(split.targets)
        kept = dtype if x.is_floating_point() else x.dtype
        num_bytes = x.numel() * kept.itemsize + y.nbytes
        if num_bytes <= room:
            room -= num_bytes
            found[name] = DeviceSplit(x.to(device, kept), y.to(device), num_classes=num_classes)
        else:
            found[name] = DeviceSplit(x, y, device, kept, num_classes)
            size = f"{num_bytes / 2**20:,.0f} MiB"
            log.info("%s, %s, does not fit beside what else %s holds and is streamed", name, size, device)
    return found


def _room(device: torch.device) -> float:
    """Bytes that splits may take."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] * RESIDENT_SHARE
    if device.type == "mps":
        return (torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()) * RESIDENT_SHARE
    return math.inf


def num_batches(num_samples: int, batch_size: int) -> int:
    """With the last, partial one."""
    return -(-num_samples // batch_size)


def train_batches(split: DeviceSplit, order: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Copies of samples in the given order (N,); the last batch may be smaller."""
    if split.sent_to is not None:
        yield from _streamed(split, torch.split(order, batch_size))
        return
    for indices_B in torch.split(order.to(split.x.device), batch_size):
        yield split.x.index_select(0, indices_B), split.y.index_select(0, indices_B)


class _Gathered(Dataset[tuple[Tensor, Tensor]]):
    """A split by lists of indices, each of which is a batch."""

    def __init__(self, split: DeviceSplit) -> None:
        self._split = split

    def __getitem__(self, indices_B: Any) -> tuple[Tensor, Tensor]:
        return self._split.x.index_select(0, indices_B), self._split.y.index_select(0, indices_B)


def _streamed(split: DeviceSplit, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    on_gpu = split.sent_to is not None and split.sent_to.type == "cuda"
    # A generator of its own: a DataLoader draws a number of torch's otherwise, and what the model draws would be other
    # numbers than of a split that fits.
    loader = DataLoader(
        _Gathered(split), batch_size=None, sampler=batches, pin_memory=on_gpu, generator=torch.Generator()
    )
    return (split.batch(x_B, y_B) for x_B, y_B in loader)


def numbers_per_sample(split: DeviceSplit) -> int:
    """What a sample counts for where batches are to be as large as memory, or a cache, has room for."""
    return max(split.x[0].numel(), split.y[0].numel() * max(NUMBERS_PER_PREDICTION, split.num_classes))


def evaluation_batches(split: DeviceSplit, train_batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Copies of all samples in their order, as many at once as are cheap; never fewer than a training batch."""
    size = max(EVALUATION_NUMBERS // numbers_per_sample(split), train_batch_size)
    for x, y in zip(torch.split(split.x, size), torch.split(split.y, size), strict=True):
        # A model or an objective that works in place on what it is given must not change the data that trials share.
        yield split.batch(x.clone(), y.clone())
