"""A picture as Pillow opens it, in any of its modes, to channels of float32 from 0 to 1."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Color = Literal["grey", "rgb"]
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_DEEP_FORMATS = ("PNG", "PPM")
"""Of which mode `I` holds 16 bits."""


class UnknownScaleError(Exception):
    """The numbers of a picture say nothing of what is white. The message has its mode and their range."""


def upright(image: Image.Image) -> Image.Image:
    """As a person sees it: turned or mirrored as its EXIF orientation says."""
    turned = ImageOps.exif_transpose(image)
    turned.format = image.format
    return turned


def has_transparency(image: Image.Image) -> bool:
    """Whether some pixel is not opaque."""
    if image.mode not in _ALPHA and "transparency" not in image.info:
        return False
    plain = image.convert("LA") if image.mode == "La" else image
    return int(np.asarray(plain.convert("RGBA").getchannel("A")).min()) < 255


def channels(image: Image.Image, color: Color) -> list[NDArray[np.float32]]:
    """Each channel, (H, W): one of grey, three of rgb. Alpha is left out. Raises UnknownScaleError."""
    if image.mode[:1] in ("I", "F"):
        grey = _deep(image)
        return [grey] if color == "grey" else [grey, grey, grey]
    values = np.asarray(_eight_bits(image, color)).astype(np.float32) / np.float32(255)
    return [values] if color == "grey" else [np.ascontiguousarray(values[..., channel]) for channel in range(3)]


def _deep(image: Image.Image) -> NDArray[np.float32]:
    """Grey of more than 8 bits, which Pillow would clip on the way to 8."""
    values = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _DEEP_FORMATS):
        return values.astype(np.float32) / np.float32(65535)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        return values.astype(np.float32)
    kind = "whole numbers of 32 bits" if image.mode == "I" else "floating-point numbers"
    raise UnknownScaleError(
        f"it is of mode {image.mode}, {kind}, here from {low:g} to {high:g}, whose white is unknown"
    )


def _eight_bits(image: Image.Image, color: Color) -> Image.Image:
    mode = "L" if color == "grey" else "RGB"
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LAB", "HSV", "CMYK", "RGBa", "PA"):
        # By way of what a screen shows: Pillow has no other, or another grey.
        image = image.convert("RGBA" if image.mode in ("RGBa", "PA") else "RGB")
    return image.convert(mode)
