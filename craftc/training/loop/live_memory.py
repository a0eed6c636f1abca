"""Counts the memory that tensors take while something runs."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from craftc.fence import fence, require


@fence("torch.dispatch_mode", instead="the memory of a step is not counted on a CPU")
def dispatch_mode() -> "type[Any]":
    """The class of what sees every operation of torch."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[Any] = []

    class Probe(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    with Probe():  # type: ignore[no-untyped-call]
        torch.zeros(1).add(1)
    require(len(seen) >= 2, "a mode that sees no operation")
    return TorchDispatchMode


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
    elif device.type == "cpu" and (mode := dispatch_mode()) is not None:
        live = _Live()
        with _counter(mode, live):
            yield peak
        peak.num_bytes = live.most
    else:
        yield peak


def _storages(values: Any) -> Iterator[torch.UntypedStorage]:
    """Of the tensors in lists and mappings of arguments."""
    if isinstance(values, torch.Tensor):
        if values.device.type == "cpu" and values.layout == torch.strided:
            yield values.untyped_storage()
        return
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, list | tuple) else ()
    for value in inner:
        yield from _storages(value)


@dataclass
class _Live:
    """Storages that are alive, by their Python objects' ids."""

    sizes: dict[int, int] = field(default_factory=dict)
    watched: dict[int, weakref.ref[Any]] = field(default_factory=dict)
    total: int = 0
    most: int = 0

    def take(self, storage: torch.UntypedStorage) -> None:
        """Count it until it is freed."""
        name = id(storage)
        if name in self.watched:
            return
        self.sizes[name] = storage.nbytes()
        self.total += storage.nbytes()
        self.most = max(self.most, self.total)

        def forget(_: object) -> None:
            self.watched.pop(name, None)
            self.total -= self.sizes.pop(name, 0)

        self.watched[name] = weakref.ref(storage, forget)


def _counter(mode: type[Any], live: _Live) -> Any:
    """Sees every operation, and has what it makes counted."""

    class Counter(mode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            given = {id(storage) for storage in _storages((args, kwargs))}
            for storage in _storages(made):
                if id(storage) not in given:
                    live.take(storage)
            return made

    return Counter()
