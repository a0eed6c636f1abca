"""Augmentations that take away a part of each image, or of each sequence.

B: samples of a batch, H and W: rows and columns of an image, T: steps in time, F: numbers of each step.
"""

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from craftc.components.augmentations.geometry import Share, drawn_rectangles
from craftc.components.augmentations.images import check_images
from craftc.components.bounds import BelowOne, NonNegativeInt, PositiveFloat, PositiveInt, Probability
from craftc.components.numbers import Numbers


class RandomErasing:
    """Fills a random rectangle of an image (Zhong et al. 2020), in all channels at once.

    As torchvision's RandomErasing: of ten rectangles the first that fits into the image; none where none does.

    Args:
        p: Probability that an image loses a rectangle.
        min_area: Least area of the rectangle, as a share of the image.
        max_area: Greatest area.
        min_ratio: Least ratio of its width to its height.
        max_ratio: Greatest ratio; the logarithms of ratios are drawn evenly between the two.
        fill: What it is filled with: a number, in units of the image, or `noise`, for normal noise of deviation 1.
    """

    takes = ("images",)
    draws_apart = True
    constraints = ("min_area <= max_area", "min_ratio <= max_ratio")
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.5]}, "max_area": {"uniform": [0.1, 0.5]}}

    def __init__(
        self,
        *,
        p: Probability = 0.5,
        min_area: Share = 0.02,
        max_area: Share = 0.33,
        min_ratio: PositiveFloat = 0.3,
        max_ratio: PositiveFloat = 3.3,
        fill: float | Literal["noise"] = 0.0,
    ) -> None:
        self.p, self.areas, self.ratios, self.fill = p, (min_area, max_area), (min_ratio, max_ratio), fill

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Erase in (B, H, W) or (B, C, H, W)."""
        check_images("random_erasing", x)
        height, width = x.shape[-2:]
        is_erased_B = numbers.uniform(len(x)) < self.p
        height_B, width_B, is_found_B = drawn_rectangles(x, self.areas, self.ratios, numbers, may_be_all=False)
        place_2B = numbers.uniform(2, len(x))
        rows = between((place_2B[0] * (height - height_B + 1)).floor(), height_B, height)
        columns = between((place_2B[1] * (width - width_B + 1)).floor(), width_B, width)
        is_within = rows[:, :, None] & columns[:, None, :] & (is_erased_B & is_found_B)[:, None, None]
        return filled(x, is_within, numbers.normal(*x.shape).to(x.dtype) if self.fill == "noise" else self.fill)


class Cutout:
    """Sets squares of an image to 0 (DeVries and Taylor 2017), in all channels at once.

    The centre of a square may be any pixel, and what is beyond the edge is left out.

    Args:
        size: Length of its sides, in pixels.
        num: How many squares.
        p: Probability that an image loses any.
    """

    takes = ("images",)
    draws_apart = True
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 1.0]}}

    def __init__(self, *, size: PositiveInt, num: PositiveInt = 1, p: Probability = 1.0) -> None:
        self.size, self.num, self.p = size, num, p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Cut squares out of (B, H, W) or (B, C, H, W)."""
        check_images("cutout", x)
        height, width = x.shape[-2:]
        is_cut_B = numbers.uniform(len(x)) < self.p
        is_within = torch.zeros((len(x), height, width), dtype=torch.bool, device=x.device)
        length_B = torch.full_like(is_cut_B, self.size, dtype=torch.float32)
        for _ in range(self.num):
            place_2B = numbers.uniform(2, len(x))
            starts = [(place_2B[row] * n).floor() - self.size // 2 for row, n in enumerate((height, width))]
            rows, columns = between(starts[0], length_B, height), between(starts[1], length_B, width)
            is_within = is_within | (rows[:, :, None] & columns[:, None, :])
        return filled(x, is_within & is_cut_B[:, None, None], 0.0)


class TimeMask:
    """Sets stretches of time to 0, in all that a sample has of them (SpecAugment, Park et al. 2019).

    Time is the last axis but one: T of (B, T, F), and the rows of an image.

    Args:
        max_length: Steps of a stretch at most; every length from 0 is as likely.
        num: How many stretches.
        p: Probability that a sample loses any.
    """

    takes = ("images",)
    draws_apart = True
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 1.0]}}

    def __init__(self, *, max_length: NonNegativeInt, num: PositiveInt = 1, p: Probability = 1.0) -> None:
        self.max_length, self.num, self.p = max_length, num, p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Mask (B, T, F) or (B, C, T, F)."""
        return _masked(x, -2, self, "time_mask", numbers)


class FrequencyMask:
    """Sets bands of frequencies to 0, at all times of a sample (SpecAugment, Park et al. 2019).

    Frequencies are the last axis: F of (B, T, F), and the columns of an image.

    Args:
        max_length: Frequencies of a band at most; every number from 0 is as likely.
        num: How many bands.
        p: Probability that a sample loses any.
    """

    takes = ("images",)
    draws_apart = True
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 1.0]}}

    def __init__(self, *, max_length: NonNegativeInt, num: PositiveInt = 1, p: Probability = 1.0) -> None:
        self.max_length, self.num, self.p = max_length, num, p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Mask (B, T, F) or (B, C, T, F)."""
        return _masked(x, -1, self, "frequency_mask", numbers)


class TokenDropout:
    """Replaces tokens of a text by another one, in the input alone (word dropout, Bowman et al. 2016).

    Args:
        p: Probability that a token is replaced.
        token: The number of what stands in its place, such as that of an unknown word.
    """

    takes = ("text",)
    draws_apart = True
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.3]}}

    def __init__(self, *, p: BelowOne = 0.1, token: Annotated[int, Ge(0)]) -> None:
        self.p, self.token = p, token

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Replace in (B, T), whole numbers."""
        return torch.where(numbers.uniform(*x.shape) < self.p, self.token, x)


def _masked(x: Tensor, axis: int, mask: TimeMask | FrequencyMask, name: str, numbers: Numbers) -> Tensor:
    if x.dim() not in (3, 4):
        raise ValueError(f"{name} needs samples (T, F) or (C, T, F), not a batch of shape {tuple(x.shape)}")
    length = x.shape[axis]
    is_masked_B = numbers.uniform(len(x)) < mask.p
    is_within_BL = torch.zeros((len(x), length), dtype=torch.bool, device=x.device)
    for _ in range(mask.num):
        drawn_2B = numbers.uniform(2, len(x))
        length_B = (drawn_2B[0] * (min(mask.max_length, length) + 1)).floor()
        is_within_BL = is_within_BL | between((drawn_2B[1] * (length - length_B + 1)).floor(), length_B, length)
    is_within_BL = is_within_BL & is_masked_B[:, None]
    return filled(x, is_within_BL[:, :, None] if axis == -2 else is_within_BL[:, None, :], 0.0)


def between(first_B: Tensor, length_B: Tensor, num: int) -> Tensor:
    """Where along an axis of that many places a stretch is, (B, num)."""
    place_L = torch.arange(num, device=first_B.device)
    return (place_L >= first_B[:, None]) & (place_L < (first_B + length_B)[:, None])


def filled(x: Tensor, is_within: Tensor, fill: Tensor | float) -> Tensor:
    """Samples (B, H, W) or (B, C, H, W) with something else where (B, H, W), or what becomes that, says so."""
    return torch.where(is_within if x.dim() == 3 else is_within[:, None], fill, x)
