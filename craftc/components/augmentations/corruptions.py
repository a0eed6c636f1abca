"""Augmentations that add noise to inputs or remove lines from images."""

from typing import ClassVar

from torch import Tensor

from craftc.components.bounds import BelowOne, NonNegativeFloat, Probability
from craftc.components.numbers import Numbers


class GaussianNoise:
    """Adds independent normal noise to every value.

    Args:
        std: Standard deviation of the noise, in units of what the source gives, which for an image is 1 from black to
            white. With `when: after_normalize`, in units of the normalized inputs.
        p: Probability that a sample gets noise at all.
    """

    takes = ("images", "table")
    search_ranges: ClassVar = {"std": {"log_uniform": [0.01, 0.5]}}

    def __init__(self, *, std: NonNegativeFloat, p: Probability = 1.0) -> None:
        self.std = std
        self.p = p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Add noise to (B, *shape)."""
        noise = numbers.normal(*x.shape).to(x.dtype) * self.std
        noisy_B = numbers.uniform(len(x)) < self.p
        return x + noise * noisy_B.view(-1, *[1] * (x.dim() - 1))


class LineDropout:
    """Sets lines to zero, in all channels of an image at once; for a table, single features.

    Args:
        p: Probability that a line is set to zero; of 1 nothing would be left.
    """

    takes = ("images", "table")
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.3]}}

    def __init__(self, *, p: BelowOne = 0.1) -> None:
        self.p = p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Drop rows of (B, H, W) or (B, C, H, W), values of (B, F)."""
        shape = x.shape if x.dim() == 2 else (len(x), *[1] * (x.dim() - 3), x.shape[-2], 1)
        return x * (numbers.uniform(*shape) >= self.p)
