"""Augmentations of the colours and the sharpness of images, all of a batch at once.

B: images of a batch, C: their channels, K: pixels of a kernel.
"""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from craftc.components.augmentations.geometry import kept_or
from craftc.components.augmentations.images import as_channels, check_channels, check_images
from craftc.components.bounds import NonNegativeFloat, PositiveFloat, Probability
from craftc.components.numbers import Numbers

GREY = (0.2989, 0.587, 0.114)
"""What red, green and blue count for in a grey image (ITU-R BT.601), as in torchvision."""


class ColorJitter:
    """Changes the brightness, the contrast and the saturation of an image, in this order, each as torchvision does.

    Of images from 0 to 1, with 1 or 3 channels; a grey one has no saturation. For hue, which is not among them, name
    torchvision's own, `torchvision.transforms.v2:ColorJitter`.

    Args:
        brightness: Factors are drawn evenly from 1 - brightness, or 0, to 1 + brightness.
        contrast: Likewise.
        saturation: Likewise.
        p: Probability that an image is changed at all.
    """

    takes = ("images",)
    draws_apart = True
    unit_range = True
    search_ranges: ClassVar = {"brightness": {"uniform": [0.0, 0.8]}, "contrast": {"uniform": [0.0, 0.8]}}

    def __init__(
        self,
        *,
        brightness: NonNegativeFloat = 0.0,
        contrast: NonNegativeFloat = 0.0,
        saturation: NonNegativeFloat = 0.0,
        p: Probability = 1.0,
    ) -> None:
        self.strengths, self.p = (brightness, contrast, saturation), p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Change (B, H, W) or (B, C, H, W)."""
        check_channels("color_jitter", x, 1, 3)
        is_changed_B = numbers.uniform(len(x)) < self.p
        drawn_3B = numbers.uniform(3, len(x))
        factors = [
            max(0.0, 1 - strength) + drawn_3B[row] * (1 + strength - max(0.0, 1 - strength))
            for row, strength in enumerate(self.strengths)
        ]
        return kept_or(x, jittered(as_channels(x), *factors).reshape(x.shape), is_changed_B)


class RandomGrayscale:
    """Takes the colours from some images; they keep three channels, all alike.

    Args:
        p: Probability that an image loses its colours.
    """

    takes = ("images",)
    draws_apart = True
    search_ranges: ClassVar = {"p": {"uniform": [0.0, 0.5]}}

    def __init__(self, *, p: Probability = 0.1) -> None:
        self.p = p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Change (B, 3, H, W)."""
        check_channels("random_grayscale", x, 3)
        return kept_or(x, grey(x).expand_as(x), numbers.uniform(len(x)) < self.p)


class GaussianBlur:
    """Blurs an image by a Gaussian kernel; at the edge the image is mirrored, as in torchvision.

    Args:
        size: Pixels along a side of the kernel, an odd number.
        min_sigma: Least standard deviation of the kernel, in pixels.
        max_sigma: Greatest; deviations are drawn evenly between the two.
        p: Probability that an image is blurred at all.
    """

    takes = ("images",)
    draws_apart = True
    constraints = ("size % 2 == 1", "min_sigma <= max_sigma")
    search_ranges: ClassVar = {"max_sigma": {"uniform": [0.5, 3.0]}, "p": {"uniform": [0.0, 1.0]}}

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(1)] = 3,
        min_sigma: PositiveFloat = 0.1,
        max_sigma: PositiveFloat = 2.0,
        p: Probability = 1.0,
    ) -> None:
        self.size, self.sigmas, self.p = size, (min_sigma, max_sigma), p

    def __call__(self, x: Tensor, numbers: Numbers) -> Tensor:
        """Blur (B, H, W) or (B, C, H, W)."""
        check_images("gaussian_blur", x)
        if self.size // 2 >= min(x.shape[-2:]):
            raise ValueError(f"a kernel of {self.size} pixels is too large for images of {tuple(x.shape[-2:])}")
        is_blurred_B = numbers.uniform(len(x)) < self.p
        sigma_B = self.sigmas[0] + numbers.uniform(len(x)) * (self.sigmas[1] - self.sigmas[0])
        return kept_or(x, blurred(x, sigma_B, self.size), is_blurred_B)


def jittered(x_BCHW: Tensor, brightness_B: Tensor, contrast_B: Tensor, saturation_B: Tensor) -> Tensor:
    """Images brightened, then with more contrast, then more saturated, by factors."""
    x_BCHW = _blended(x_BCHW, torch.zeros_like(x_BCHW), brightness_B)
    x_BCHW = _blended(x_BCHW, grey(x_BCHW).mean((-3, -2, -1), keepdim=True), contrast_B)
    return x_BCHW if x_BCHW.shape[1] == 1 else _blended(x_BCHW, grey(x_BCHW), saturation_B)


def grey(x_BCHW: Tensor) -> Tensor:
    """(B, 1, H, W)."""
    if x_BCHW.shape[1] == 1:
        return x_BCHW
    return sum((x_BCHW[:, i : i + 1] * weight for i, weight in enumerate(GREY)), torch.zeros_like(x_BCHW[:, :1]))


def _blended(x_BCHW: Tensor, other: Tensor, factor_B: Tensor) -> Tensor:
    factor = factor_B.view(-1, 1, 1, 1).to(x_BCHW.dtype)
    return (factor * x_BCHW + (1 - factor) * other).clamp(0, 1)


def blurred(x: Tensor, sigma_B: Tensor, size: int) -> Tensor:
    """Images (B, H, W) or (B, C, H, W), each by a kernel of its own."""
    half = size // 2
    place_K = torch.arange(-half, half + 1, device=x.device)
    kernel_BK = (-0.5 * (place_K / sigma_B[:, None]).square()).softmax(-1).to(x.dtype)
    images = F.pad(as_channels(x), [half] * 4, mode="reflect")
    # A channel of each image is a group of one convolution, first along columns, then along rows.
    num, channels = images.shape[:2]
    kernels = kernel_BK.repeat_interleave(channels, 0)
    found = images.reshape(1, num * channels, *images.shape[2:])
    found = F.conv2d(found, kernels[:, None, :, None], groups=num * channels)
    found = F.conv2d(found, kernels[:, None, None, :], groups=num * channels)
    return found.reshape(x.shape)
