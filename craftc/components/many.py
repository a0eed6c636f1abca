"""Applies a function of the stacked tensors of K models under vmap, where a tensor stands for one of them.

`torch.autograd.Function` has a rule for vmap too, and takes a CPU 0.3 ms to call it: as long as the step of a small
model takes for many of its operations.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_pop_interpreter_stack

functorch = torch._C._functorch


def are_many(x: Tensor) -> bool:
    """Whether a tensor stands for those of many models."""
    return functorch.is_batchedtensor(x)


def of_many(function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
    """Call `function` with the tensors of all models, their axis first; what it returns has it first too.

    Within one vmap, one of whose tensors the first has to be. Gradients are those of what the function does.
    """
    first = tensors[0]
    assert first is not None
    level, size = (
        functorch.maybe_get_level(first),
        functorch.get_unwrapped(first).shape[functorch.maybe_get_bdim(first)],
    )
    stacked = [None if tensor is None else _stacked(tensor, size) for tensor in tensors]
    with temporarily_pop_interpreter_stack():
        found = function(*stacked)
    return functorch._add_batch_dim(found, 0, level)


def _stacked(tensor: Tensor, size: int) -> Tensor:
    if not functorch.is_batchedtensor(tensor):
        return tensor.expand(size, *tensor.shape)
    axis = functorch.maybe_get_bdim(tensor)
    whole = functorch.get_unwrapped(tensor)
    return whole if axis == 0 else whole.movedim(axis, 0)
