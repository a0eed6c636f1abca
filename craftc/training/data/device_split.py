"""Holds splits as tensors on the device and gathers batches from them by index; a split that does not fit there stays
on the host, and its batches are sent.

B: samples of a batch, N: samples of a split.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from craftc.training.data.split import Split

Batch = dict[str, Tensor]
"""Samples by the names of their columns, (B, ...) each."""
SOURCE = "source of x"
"""The column with the first input as the source gives it, for views of samples that are measured. No parameter can be
called so, and nothing asks for it."""

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
    """The columns of a split that batches have, (N, ...) each, on one device: quantities as they are trained with, all
    else as it is. Batches are sent to another device where that is `sent_to`, in the `dtypes` of their columns. `first`
    and `target` name two of them, see `Split`; of `num_classes` each prediction is one."""

    columns: Mapping[str, Tensor]
    first: str
    target: str | None = None
    sent_to: torch.device | None = None
    dtypes: Mapping[str, torch.dtype] = field(default_factory=dict)
    num_classes: int = 0

    def __len__(self) -> int:
        return len(self.x)

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.columns[self.first]

    @property
    def y(self) -> Tensor | None:
        """The target."""
        return None if self.target is None else self.columns[self.target]

    def gathered(self, indices: Tensor) -> Batch:
        """Copies of the samples of these indices, (B,)."""
        return {name: column.index_select(0, indices) for name, column in self.columns.items()}

    def head(self, num_samples: int) -> "DeviceSplit":
        """The first samples of it alone."""
        return replace(self, columns={name: column[:num_samples] for name, column in self.columns.items()})

    def batch(self, batch: Batch) -> Batch:
        """Samples of it as they come to a step. A GPU takes them while this process goes on."""
        if self.sent_to is None:
            return batch
        return {
            name: column.to(self.sent_to, self.dtypes.get(name, column.dtype), non_blocking=True)
            for name, column in batch.items()
        }


def to_device(
    splits: Mapping[str, Split],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    *,
    resident_bytes: float | None = None,
    first_dtype: torch.dtype | None = None,
    source_dtype: torch.dtype | None = None,
) -> dict[str, DeviceSplit]:
    """Every split that fits into `resident_bytes` of the device, one after another; None: into a share of what is free.
    The others stay where they are, and are streamed.

    Quantities come in `dtype`, which may be float64, and those of the first input in `first_dtype` where that is given,
    of SOURCE in `source_dtype`.
    On the CPU the arrays' memory is shared, not copied, and all of them fit.
    """
    room = _room(device) if resident_bytes is None else resident_bytes
    found: dict[str, DeviceSplit] = {}
    for name, split in splits.items():
        columns = {column: torch.from_numpy(values) for column, values in split.in_batches().items()}
        dtypes = {column: dtype if values.is_floating_point() else values.dtype for column, values in columns.items()}
        if first_dtype is not None and columns[split.first].is_floating_point():
            dtypes[split.first] = first_dtype
        if source_dtype is not None and SOURCE in columns:
            dtypes[SOURCE] = source_dtype
        num_bytes = sum(values.numel() * dtypes[column].itemsize for column, values in columns.items())
        target = split.target_column
        num_classes = 0 if target is None or target.kind not in ("class", "token") else target.num_classes
        if num_bytes <= room:
            room -= num_bytes
            moved = {column: values.to(device, dtypes[column]) for column, values in columns.items()}
            found[name] = DeviceSplit(moved, split.first, split.target, num_classes=num_classes)
        else:
            found[name] = DeviceSplit(columns, split.first, split.target, device, dtypes, num_classes)
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


def train_batches(split: DeviceSplit, order: Tensor, batch_size: int) -> Iterator[Batch]:
    """Copies of samples in the given order (N,); the last batch may be smaller."""
    if split.sent_to is not None:
        yield from _streamed(split, torch.split(order, batch_size))
        return
    for indices_B in torch.split(order.to(split.x.device), batch_size):
        yield split.gathered(indices_B)


class _Gathered(Dataset[Batch]):
    """A split by lists of indices, each of which is a batch."""

    def __init__(self, split: DeviceSplit) -> None:
        self._split = split

    def __getitem__(self, indices_B: Any) -> Batch:
        return self._split.gathered(indices_B)


def _streamed(split: DeviceSplit, batches: Sequence[Tensor]) -> Iterator[Batch]:
    on_gpu = split.sent_to is not None and split.sent_to.type == "cuda"
    # A generator of its own: a DataLoader draws a number of torch's otherwise, and what the model draws would be other
    # numbers than of a split that fits.
    loader = DataLoader(
        _Gathered(split), batch_size=None, sampler=batches, pin_memory=on_gpu, generator=torch.Generator()
    )
    return (split.batch(batch) for batch in loader)


def numbers_per_sample(split: DeviceSplit) -> int:
    """What a sample counts for where batches are to be as large as memory, or a cache, has room for."""
    first, target = split.x[0].numel(), split.y
    if target is None:
        return max(first, NUMBERS_PER_PREDICTION)
    per_prediction = 1 if target.is_floating_point() else max(NUMBERS_PER_PREDICTION, split.num_classes)
    return max(first, target[0].numel() * per_prediction)


def evaluation_batches(split: DeviceSplit, train_batch_size: int, most: int | None = None) -> Iterator[Batch]:
    """Copies of all samples in their order, as many at once as are cheap; never fewer than a training batch, and never
    more than `most`."""
    size = max(EVALUATION_NUMBERS // numbers_per_sample(split), train_batch_size)
    size = size if most is None else min(size, most)
    columns = [torch.split(column, size) for column in split.columns.values()]
    for parts in zip(*columns, strict=True):
        # A model or an objective that works in place on what it is given must not change the data that trials share.
        yield split.batch({name: part.clone() for name, part in zip(split.columns, parts, strict=True)})
