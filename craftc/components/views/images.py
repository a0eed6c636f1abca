"""Views of images: each is given to the model as if it were the sample itself.

A view is called with a batch and returns several batches of its shape. `top_k`, where it has that, says how many of
them count for each sample: those that the model is surest of.

B: samples of a batch.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, arange, linspace
from torch.nn import functional as F

from craftc.components.bounds import PositiveInt

TopK = PositiveInt | Literal["none"]


class OneView:
    """The sample as it is, alone."""

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The batch itself."""
        return [x]


class Tiles:
    """Cuts an image into n x n tiles, each resized to the size of the image, beside the whole image.

    Args:
        n: Tiles in a row and in a column; rows and columns that do not divide evenly are shared out as evenly as can
            be.
        top_k: How many views count for each sample: those that the model is surest of; none: all, alike.
        whole: Whether the whole image is a view too.
    """

    takes = ("images",)
    constraints = ("top_k <= n * n + whole",)

    def __init__(self, *, n: PositiveInt = 2, top_k: TopK = "none", whole: bool = True) -> None:
        self.n, self.top_k, self.whole = n, top_k, whole

    def __call__(self, x: Tensor) -> list[Tensor]:
        """The whole image where it counts, then its tiles line by line, of (B, H, W) or (B, C, H, W)."""
        _require_images(x, "tiles need")
        height, width = x.shape[-2:]
        if min(height, width) < self.n:
            raise ValueError(f"{self.n} x {self.n} tiles need as many pixels, and an image has {height} x {width}")
        rows, columns = (_bounds(size, self.n) for size in (height, width))
        tiles = [x[..., top:bottom, left:right] for top, bottom in rows for left, right in columns]
        return [*([x] if self.whole else []), *(_resized(tile, height, width) for tile in tiles)]


_MIRRORED: dict[str, list[tuple[int, ...]]] = {
    "horizontal": [(-1,)],
    "vertical": [(-2,)],
    "both": [(-1,), (-2,), (-2, -1)],
}


class Flips:
    """An image, and its mirror images (test-time augmentation).

    Args:
        axes: horizontal: left to right; vertical: top to bottom; both: each of the two, and one after the other.
        top_k: How many views count for each sample: those that the model is surest of; none: all, alike.
    """

    takes = ("images",)

    def __init__(self, *, axes: Literal["horizontal", "vertical", "both"] = "horizontal", top_k: TopK = "none") -> None:
        self.axes, self.top_k = axes, top_k

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Of (B, H, W) or (B, C, H, W)."""
        _require_images(x, "flips need")
        return [x, *(x.flip(axes) for axes in _MIRRORED[self.axes])]


class Shifts:
    """An image, and what it is when it is moved by a few pixels left, right, up and down; its edges are repeated.

    Args:
        by: Pixels, or places in a line.
        top_k: How many views count for each sample: those that the model is surest of; none: all, alike.
    """

    takes = ("images",)

    def __init__(self, *, by: PositiveInt = 1, top_k: TopK = "none") -> None:
        self.by, self.top_k = by, top_k

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Of (B, H, W) or (B, C, H, W)."""
        _require_images(x, "shifts need")
        return [x, *(_moved(x, axis, by) for axis in (-1, -2) for by in (self.by, -self.by))]


def _require_images(x: Tensor, who: str) -> None:
    if x.dim() < 3:
        raise ValueError(f"{who} images, (B, H, W) or (B, C, H, W), not a batch of shape {tuple(x.shape)}")


def _bounds(size: int, n: int) -> list[tuple[int, int]]:
    ends = [round(float(end)) for end in linspace(0, size, n + 1)]
    return list(pairwise(ends))


def _resized(tile: Tensor, height: int, width: int) -> Tensor:
    channels = tile.unsqueeze(1) if tile.dim() == 3 else tile
    resized = F.interpolate(channels, (height, width), mode="bilinear", align_corners=False)
    return resized.squeeze(1) if tile.dim() == 3 else resized


def _moved(x: Tensor, axis: int, by: int) -> Tensor:
    size = x.shape[axis]
    return x.index_select(axis, (arange(size, device=x.device) - by).clamp(0, size - 1))
