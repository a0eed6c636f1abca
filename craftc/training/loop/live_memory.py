"""Counts the memory that tensors take while something runs."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass
class Peak:
    """The most bytes at once; None until the end, and where they could not be counted."""

    num_bytes: int | None = None


@contextmanager
def peak_bytes(device: torch.device) -> Iterator[Peak]:
    """The most bytes of tensors on `device` that were made within, at once: by CUDA's own counter, or on the CPU by
    the tensors that operations return; what an operation needs for itself and frees again is not seen there."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        peak.num_bytes = torch.cuda.max_memory_allocated(device) - before
    elif device.type == "cpu":
        with _Counter() as counter:
            yield peak
        peak.num_bytes = counter.most
    else:
        yield peak


def _storages(values: Any) -> Iterator[torch.UntypedStorage]:
    for leaf in tree_leaves(values):
        if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu" and leaf.layout == torch.strided:
            yield leaf.untyped_storage()


@dataclass
class _Live:
    """Storages that are alive, by their Python objects' ids."""

    sizes: dict[int, int] = field(default_factory=dict)
    watched: dict[int, weakref.ref[Any]] = field(default_factory=dict)
    total: int = 0


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation; `most` is the most bytes so far."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = _Live()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(made):
            if id(storage) not in given:
                self._take(storage)
        return made

    def _take(self, storage: torch.UntypedStorage) -> None:
        live, name = self._live, id(storage)
        if name in live.watched:
            return
        live.sizes[name] = storage.nbytes()
        live.total += storage.nbytes()
        self.most = max(self.most, live.total)

        def forget(_: object) -> None:
            live.watched.pop(name, None)
            live.total -= live.sizes.pop(name, 0)

        live.watched[name] = weakref.ref(storage, forget)
