"""Resizes images in front of a model."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


class Resize:
    """A forward pre-hook that hands a model images of one size, (B, C, side, side)."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, _module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The first input by bilinear interpolation, with antialiasing where it becomes smaller."""
        x_BCHW: Tensor = inputs[0]
        if x_BCHW.shape[-2:] == (self.side, self.side):
            return inputs
        size = (self.side, self.side)
        is_smaller = self.side < min(x_BCHW.shape[-2:])
        return F.interpolate(x_BCHW, size, mode="bilinear", antialias=is_smaller), *inputs[1:]


def resized(model: nn.Module, side: int | str) -> nn.Module:
    """The model, given images of that side; as they are where it is `none`."""
    if isinstance(side, int):
        model.register_forward_pre_hook(Resize(side))
    return model
