"""Recognises a memory that is full, of any device, and makes room."""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SAID = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "backend out of memory",
)
"""What torch says in a RuntimeError: its allocator of the CPU on Linux and on Windows, libraries of CUDA, and MPS."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, says that a memory is full."""
    # By name, since what reports failures does not import torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def make_room(device: "torch.device") -> None:
    """Free what cycles hold, as a traceback does, and what torch keeps of a GPU for later use."""
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
