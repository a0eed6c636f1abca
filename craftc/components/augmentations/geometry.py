"""Augmentations that turn, scale and crop images, all of a batch at once by torch's own sampling of grids.

B: images of a batch, H and W: rows and columns, N: tries at a crop.
"""

import math
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor
from torch.nn import functional as F

from craftc.components.augmentations.images import as_channels, check_images
from craftc.components.bounds import PositiveFloat, Probability
from craftc.components.numbers import Numbers

Degrees = Annotated[float, Ge(0), Le(180)]
Shear = Annotated[float, Ge(0), Le(80)]
Share = Annotated[float, Gt(0), Le(1)]
NUM_TRIES = 10
"""As many as torchvision takes to find a rectangle that fits."""


class RandomAffine:
    """Turns, moves, scales and shears an image around its centre; what comes in from beyond its edge is 0.

    As torchvision's RandomAffine with bilinear interpolation, but for what is drawn: every image by numbers of its own.

    Args:
        degrees: Angle by which it is turned at most, in either direction.
        translate: How far it is moved at most along each axis, as a share of its width and height.
        min_scale: Least factor by which it grows.
        max_scale: Greatest factor by which it grows; factors are drawn evenly between the two.
        shear: Angle by which it is sheared at most, along its rows.
        p: Probability that an image is changed at all.
    """

    takes = ("images",)
    draws_apart = True
    constraints = ("min_scale <= max_scale",)
    search_ranges: ClassVar = {"degrees": {"uniform": [0.0, 30.0]}, "translate": {"uniform": [0.0, 0.2]}}

    def __init__(
        self,
        *,
        degrees: Degrees = 0.0,
        translate: Probability = 0.0,
        min_scale: PositiveFloat = 1.0,
        max_scale: PositiveFloat = 1.0,
        shear: Shear = 0.0,
        p: Probability = 1.0,
    ) -> None:
        self.degrees, self.translate, self.shear, self.p = degrees, translate, shear, p
        self.scales = min_scale, max_scale

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Change (B, H, W) or (B, C, H, W)."""
        check_images("random_affine", x)
        is_changed_B = numbers.uniform(len(x)) < self.p
        either_4B = numbers.uniform(4, len(x)) * 2 - 1
        angle_B, shear_B = (either_4B[row] * math.radians(most) for row, most in ((0, self.degrees), (1, self.shear)))
        moves = [either_4B[row] * (self.translate * x.shape[axis]) for row, axis in ((2, -1), (3, -2))]
        scale_B = self.scales[0] + numbers.uniform(len(x)) * (self.scales[1] - self.scales[0])
        return kept_or(x, affine(x, angle_B, torch.stack(moves, -1).round(), scale_B, shear_B), is_changed_B)


class RandomRotation:
    """Turns an image around its centre; what comes in from beyond its edge is 0.

    Args:
        degrees: Angle by which it is turned at most, in either direction; every angle is as likely.
        p: Probability that an image is turned at all.
    """

    takes = ("images",)
    draws_apart = True
    search_ranges: ClassVar = {"degrees": {"uniform": [0.0, 30.0]}}

    def __init__(self, *, degrees: Degrees = 15.0, p: Probability = 1.0) -> None:
        self._affine = RandomAffine(degrees=degrees, p=p)

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Turn (B, H, W) or (B, C, H, W)."""
        check_images("random_rotation", x)
        return self._affine(x, numbers)


class RandomResizedCrop:
    """Cuts a random rectangle out of an image and enlarges it to the image's own size (Szegedy et al. 2015).

    As torchvision's RandomResizedCrop to the size that there is, with bilinear interpolation: of ten rectangles the
    first that fits into the image, and its middle where none does.

    Args:
        min_area: Least area of the rectangle, as a share of the image.
        max_area: Greatest area.
        min_ratio: Least ratio of its width to its height.
        max_ratio: Greatest ratio; the logarithms of ratios are drawn evenly between the two.
        p: Probability that an image is cut at all.
    """

    takes = ("images",)
    draws_apart = True
    constraints = ("min_area <= max_area", "min_ratio <= max_ratio")
    search_ranges: ClassVar = {"min_area": {"uniform": [0.08, 0.9]}}

    def __init__(
        self,
        *,
        min_area: Share = 0.08,
        max_area: Share = 1.0,
        min_ratio: PositiveFloat = 0.75,
        max_ratio: PositiveFloat = 1.3333,
        p: Probability = 1.0,
    ) -> None:
        self.areas, self.ratios, self.p = (min_area, max_area), (min_ratio, max_ratio), p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Crop (B, H, W) or (B, C, H, W)."""
        check_images("random_resized_crop", x)
        height, width = x.shape[-2:]
        is_cut_B = numbers.uniform(len(x)) < self.p
        height_B, width_B, is_found_B = drawn_rectangles(x, self.areas, self.ratios, numbers, may_be_all=True)
        middle_height, middle_width = self._middle(height, width)
        height_B = torch.where(is_found_B, height_B, middle_height)
        width_B = torch.where(is_found_B, width_B, middle_width)
        place_2B = numbers.uniform(2, len(x))
        top_B = torch.where(is_found_B, (place_2B[0] * (height - height_B + 1)).floor(), (height - middle_height) // 2)
        left_B = torch.where(is_found_B, (place_2B[1] * (width - width_B + 1)).floor(), (width - middle_width) // 2)
        return kept_or(x, resized_crop(x, top_B, left_B, height_B, width_B), is_cut_B)

    def _middle(self, height: int, width: int) -> tuple[int, int]:
        """The largest rectangle in the middle whose ratio is allowed."""
        if width / height < self.ratios[0]:
            return min(round(width / self.ratios[0]), height), width
        if width / height > self.ratios[1]:
            return height, min(round(height * self.ratios[1]), width)
        return height, width


def drawn_rectangles(
    x: Tensor,
    areas: tuple[float, float],
    ratios: tuple[float, float],
    numbers: Numbers,
    *,
    may_be_all: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Heights and widths (B,) of rectangles in images, and whether one was found that fits (B,). Areas are shares of
    the image, ratios those of width to height. With `may_be_all` it may be as high and wide as the image."""
    height, width = x.shape[-2:]
    drawn_2NB = numbers.uniform(2, NUM_TRIES, len(x))
    area_NB = height * width * (areas[0] + drawn_2NB[0] * (areas[1] - areas[0]))
    low, high = math.log(ratios[0]), math.log(ratios[1])
    ratio_NB = (low + drawn_2NB[1] * (high - low)).exp()
    width_NB, height_NB = (area_NB * ratio_NB).sqrt().round(), (area_NB / ratio_NB).sqrt().round()
    more = 0 if may_be_all else 1
    fits_NB = (width_NB >= 1) & (height_NB >= 1) & (width_NB <= width - more) & (height_NB <= height - more)
    first_1B = fits_NB.float().argmax(0, keepdim=True)
    return height_NB.gather(0, first_1B)[0], width_NB.gather(0, first_1B)[0], fits_NB.any(0)


def affine(x: Tensor, angle_B: Tensor, move_B2: Tensor, scale_B: Tensor, shear_B: Tensor) -> Tensor:
    """Images turned clockwise by angles, sheared, scaled and then moved, right and down by pixels."""
    height, width = x.shape[-2:]
    cos_B, sin_B, tan_B = angle_B.cos() * scale_B, angle_B.sin() * scale_B, shear_B.tan()
    # The matrix of the rotation, its second column sheared along the rows, is inverted: a pixel is looked up. Its
    # determinant is the square of the scale.
    area_B = scale_B.square()
    xx, xy = (cos_B - sin_B * tan_B) / area_B, (cos_B * tan_B + sin_B) / area_B
    yx, yy = -sin_B / area_B, cos_B / area_B
    right_B, down_B = move_B2.unbind(-1)
    # affine_grid is the same by a matrix, and has no rule for vmap. Places are pixels around the centre.
    row_H1 = (torch.arange(height, device=x.device) + 0.5 - height / 2)[:, None]
    column_W = torch.arange(width, device=x.device) + 0.5 - width / 2
    across, down = column_W - right_B[:, None, None], row_H1 - down_B[:, None, None]
    from_left = xx[:, None, None] * across + xy[:, None, None] * down
    from_top = yx[:, None, None] * across + yy[:, None, None] * down
    # A grid counts from -1 to 1 along either axis.
    grid = torch.stack([from_left * (2 / width), from_top * (2 / height)], -1).to(x.dtype)
    return F.grid_sample(as_channels(x), grid, align_corners=False).reshape(x.shape)


def resized_crop(x: Tensor, top_B: Tensor, left_B: Tensor, height_B: Tensor, width_B: Tensor) -> Tensor:
    """Rectangles of images, enlarged to the images' own size; nothing of beyond a rectangle's edge comes in."""
    height, width = x.shape[-2:]
    rows = _places(top_B, height_B, height)
    columns = _places(left_B, width_B, width)
    grid_BHW2 = torch.stack([columns[:, None, :].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], -1)
    found = F.grid_sample(as_channels(x), grid_BHW2.to(x.dtype), align_corners=False, padding_mode="border")
    return found.reshape(x.shape)


def _places(first_B: Tensor, length_B: Tensor, length: int) -> Tensor:
    """Where along an axis each of its pixels is taken from, (B, length), from -1 to 1."""
    centre_L = (torch.arange(length, device=first_B.device) + 0.5) / length
    inside = (centre_L * length_B[:, None] - 0.5).clamp(min=0)
    pixel = first_B[:, None] + torch.minimum(inside, length_B[:, None] - 1)
    return (2 * pixel + 1) / length - 1


def kept_or(x: Tensor, changed: Tensor, is_changed_B: Tensor) -> Tensor:
    """Some of the samples changed."""
    return torch.where(is_changed_B.view(-1, *[1] * (x.dim() - 1)), changed, x)
