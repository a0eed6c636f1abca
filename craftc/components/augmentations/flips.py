"""Augmentations that mirror some images of a batch."""

from typing import ClassVar

import torch
from torch import Tensor

from craftc.components.bounds import Probability
from craftc.components.numbers import Numbers


class HorizontalFlip:
    """Mirrors an image left to right.

    Args:
        p: Probability that an image is mirrored.
    """

    takes = ("images",)
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.5]}}

    def __init__(self, *, p: Probability = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Flip the last axis of (B, H, W) or (B, C, H, W), image by image."""
        return _flip_some(x, -1, self.p, numbers)


class VerticalFlip:
    """Mirrors an image top to bottom.

    Args:
        p: Probability that an image is mirrored.
    """

    takes = ("images",)
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.5]}}

    def __init__(self, *, p: Probability = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Flip the last axis but one of (B, H, W) or (B, C, H, W), image by image."""
        return _flip_some(x, -2, self.p, numbers)


def _flip_some(x: Tensor, axis: int, p: float, numbers: Numbers) -> Tensor:
    if x.dim() < 3:
        raise ValueError(f"a flip needs images, (B, H, W) or (B, C, H, W), not a batch of shape {tuple(x.shape)}")
    flipped_B = numbers.uniform(len(x)) < p
    return torch.where(flipped_B.view(-1, *[1] * (x.dim() - 1)), x.flip(axis), x)
