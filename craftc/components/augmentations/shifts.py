"""Augmentations that move images."""

from typing import ClassVar

import torch
from torch import Tensor

from craftc.components.bounds import NonNegativeInt
from craftc.components.numbers import Numbers


class RandomShift:
    """Moves an image by whole pixels, up or down and left or right; what comes in from beyond its edge is 0.

    Args:
        max_shift: Pixels that it moves at most along each axis; every number of them is as likely. 0 leaves
            images as they are.
    """

    takes = ("images",)
    search_ranges: ClassVar = {"max_shift": {"int": [0, 4]}}

    def __init__(self, *, max_shift: NonNegativeInt = 1) -> None:
        self.max_shift = max_shift

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Move (B, H, W) or (B, C, H, W), image by image."""
        if x.dim() < 3:
            raise ValueError(f"a shift needs images, (B, H, W) or (B, C, H, W), not a batch of shape {tuple(x.shape)}")
        span = 2 * self.max_shift + 1
        shift_2B = (numbers.uniform(2, len(x)) * span).long() - self.max_shift
        return _moved(_moved(x, shift_2B[0], -2), shift_2B[1], -1)


def _moved(x: Tensor, shift_B: Tensor, axis: int) -> Tensor:
    """Each image by its own number of pixels along an axis."""
    length = x.shape[axis]
    source_BL = torch.arange(length, device=x.device) - shift_B[:, None]
    shape = [1] * x.dim()
    shape[0], shape[axis] = len(x), length
    source = source_BL.view(shape)
    found = x.gather(axis if axis >= 0 else x.dim() + axis, source.clamp(0, length - 1).expand(x.shape))
    return found * ((source >= 0) & (source < length))
