"""Applies a function of the stacked tensors of K models under vmap, where a tensor stands for one of them.

B: samples of a batch, K: models.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.func import vmap

from craftc.fence import fence, require

T = TypeVar("T")

_IS_WITHIN = ContextVar("vmap over models", default=False)
"""Whether `for_each_model` is being called."""


class _Stacks(NamedTuple):
    """What torch keeps private of vmap: what a tensor that stands for one of many is made of, and a way out of it."""

    functorch: Any
    popped: Callable[[], Any]


@fence("torch.vmap_stack", instead="an autograd.Function finds the stacked tensors, which takes a CPU 0.3 ms each time")
def _stacks() -> _Stacks:
    # A rule of torch.autograd.Function for vmap takes as long as the step of a small model for many of its operations.
    from torch._functorch.pyfunctorch import temporarily_pop_interpreter_stack

    stacks = _Stacks(torch._C._functorch, temporarily_pop_interpreter_stack)
    seen: list[Any] = []

    def scaled(x_KB: Tensor, weight_K: Tensor) -> Tensor:
        seen.extend((x_KB, weight_K))
        return x_KB * weight_K[:, None]

    def one(x: Tensor, weight: Tensor) -> Tensor:
        seen.append(stacks.functorch.is_batchedtensor(x))
        return _by_stacks(stacks, scaled, (x, weight))

    x_BK, weight = torch.arange(6.0).view(3, 2), torch.tensor(2.0)
    found_KB = vmap(one, in_dims=(1, None))(x_BK, weight)
    require(seen[0] is True and not stacks.functorch.is_batchedtensor(x_BK), "is_batchedtensor says another thing")
    require(seen[1].equal(x_BK.T) and seen[2].shape == (2,), "another tensor is behind a batched one")
    require(found_KB.equal(x_BK.T * weight), "another value comes out of vmap")
    return stacks


def are_many(x: Tensor) -> bool:
    """Whether a tensor stands for those of many models. What is compiled is of one model."""
    if torch.compiler.is_compiling():
        return False
    stacks = _stacks()
    return _IS_WITHIN.get() if stacks is None else bool(stacks.functorch.is_batchedtensor(x))


def for_each_model(function: Callable[..., T], *stacked: Any) -> T:
    """Call `function` under vmap, where each tensor of its arguments stands for those of all models, their axis first;
    what it returns is stacked likewise."""
    token = _IS_WITHIN.set(True)
    try:
        found: T = vmap(function)(*stacked)
        return found
    finally:
        _IS_WITHIN.reset(token)


def of_many(function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
    """Call `function` with the tensors of all models, their axis first; what it returns has it first too.

    Within one vmap, one of whose tensors the first has to be. Gradients are those of what the function does.
    """
    stacks = _stacks()
    if stacks is not None:
        return _by_stacks(stacks, function, tensors)
    found: Tensor = _OfMany.apply(function, *tensors)  # type: ignore[no-untyped-call]
    return found


def _by_stacks(stacks: _Stacks, function: Callable[..., Tensor], tensors: tuple[Tensor | None, ...]) -> Tensor:
    functorch, first = stacks.functorch, tensors[0]
    assert first is not None
    level, size = (
        functorch.maybe_get_level(first),
        functorch.get_unwrapped(first).shape[functorch.maybe_get_bdim(first)],
    )
    stacked = [None if tensor is None else _unwrapped(functorch, tensor, size) for tensor in tensors]
    with stacks.popped():
        found = function(*stacked)
    of_one: Tensor = functorch._add_batch_dim(found, 0, level)
    return of_one


def _unwrapped(functorch: Any, tensor: Tensor, size: int) -> Tensor:
    if not functorch.is_batchedtensor(tensor):
        return _stacked(tensor, None, size)
    return _stacked(functorch.get_unwrapped(tensor), functorch.maybe_get_bdim(tensor), size)


def _stacked(whole: Tensor, axis: int | None, size: int) -> Tensor:
    """With the axis of the models first; without one, the same for all models."""
    if axis is None:
        return whole.expand(size, *whole.shape)
    return whole if axis == 0 else whole.movedim(axis, 0)


class _OfMany(torch.autograd.Function):
    """The public way into the stacked tensors: vmap hands them to its rule. Only that is ever differentiated."""

    @staticmethod
    def forward(function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        """Of one model."""
        return function(*(None if tensor is None else tensor[None] for tensor in tensors))[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing: vmap asks that there be one."""

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], function: Callable[..., Tensor], *tensors: Tensor | None
    ) -> tuple[Tensor, int]:
        """Of all models."""
        pairs = zip(tensors, in_dims[1:], strict=True)
        stacked = [None if tensor is None else _stacked(tensor, axis, info.batch_size) for tensor, axis in pairs]
        return function(*stacked), 0
