"""What stands in the place of a module that is taken out of a model: zeros, or its first input."""

import copy
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from craftc.training.foundation.errors import TrainingError

PLAIN = (bool, int, float, str, tuple, list, torch.dtype, torch.Size)


class Shape(NamedTuple):
    """That of an output: each axis as long as the same of the input (None), or so long."""

    axes: tuple[int | None, ...]
    is_that_of_input: bool

    @classmethod
    def of(cls, given: Tensor, output: Tensor) -> "Shape":
        """As it was seen once. Axes that are alike there follow the input: samples, and tokens of a text."""
        lengths = [*given.shape, *[None] * output.dim()]
        axes = tuple(None if lengths[axis] == length else length for axis, length in enumerate(output.shape))
        return cls(axes, given.shape == output.shape)

    def on(self, given: Tensor) -> tuple[int, ...]:
        """Of an input."""
        return tuple(given.shape[axis] if length is None else length for axis, length in enumerate(self.axes))


class StandIn(nn.Module):
    """Returns zeros in the shape of what the module `returned`, or its first input. Of several outputs that is the
    first tensor; words and numbers among the others are those that the module returned, and tensors are None.

    It has no parameters, and so none are trained or saved. What others may read of the module it has too: numbers and
    words, and None for each parameter and buffer, as a layer without a bias has.
    """

    like: Tensor

    def __init__(self, module: nn.Module, is_identity: bool, shape: Shape, dtype: torch.dtype, returned: Any) -> None:
        super().__init__()
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training" and isinstance(value, PLAIN):
                setattr(self, name, value)
        for name in module._parameters:
            self.register_parameter(name, None)
        for name in module._buffers:
            self.register_buffer(name, None)
        self.is_identity, self._shape = is_identity, shape
        is_one = isinstance(returned, Tensor)
        self._index = None if is_one else next(i for i, each in enumerate(returned) if isinstance(each, Tensor))
        self._others = () if is_one else tuple(map(_without_tensors, returned))
        self._told: Callable[[], None] | None = None
        self._kind = type(module).__name__
        # Follows the model to its type, where the input has none: that of tokens.
        self.register_buffer("like", torch.zeros((), dtype=dtype), persistent=False)
        # torch.nn.TransformerEncoderLayer reads the weights of its modules in evaluation, unless one has a hook.
        self.register_forward_hook(_nothing)

    def watch(self, told: Callable[[], None] | None) -> None:
        """Have each call reported."""
        self._told = told

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Called as the module was."""
        given = next((each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)), None)
        if given is None:
            raise TrainingError("module-not-removable", f"what stands for a {self._kind} is given no tensor")
        if self._told is not None:
            self._told()
        # A copy: what follows may work in place, on what a residual connection goes on with.
        output = given.clone() if self.is_identity else self._zeros(given)
        if self._index is None:
            return output
        return (*self._others[: self._index], output, *self._others[self._index + 1 :])

    def _zeros(self, given: Tensor) -> Tensor:
        """Without a trace of the input, but for a gradient of zeros, so that what comes before has one, as batches of
        trials need."""
        if not given.is_floating_point():
            return torch.zeros(self._shape.on(given), dtype=self.like.dtype, device=given.device)
        if self._shape.is_that_of_input:
            return given * 0
        return given.new_zeros(self._shape.on(given)) + given.flatten()[0] * 0


def _without_tensors(value: Any) -> Any:
    """A value with None for each tensor, and for whatever else may hold some."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(map(_without_tensors, value))
    if not is_dataclass(value) or isinstance(value, type):
        return None
    copied = copy.copy(value)
    for field in fields(copied):
        object.__setattr__(copied, field.name, _without_tensors(getattr(value, field.name)))
    return copied


def _nothing(_module: nn.Module, _given: Any, _returned: Any) -> None:
    """Leaves the output as it is."""
