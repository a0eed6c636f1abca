"""Reshapes samples from the form that their source gives to the form that the model gets."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Inputs = NDArray[Any]


def laid_out(x: Inputs, layout: str) -> Inputs:
    """Tables (N, F), grey images (N, H, W) or images with channels (N, C, H, W), by `data.layout`.

    source: as they are. channels: (N, C, H, W). lines: (N, L, V), the channels of an image side by side in a line, a
    table as one line. flat: (N, F). Raises DataError for the channels of a table.
    """
    if layout == "channels":
        if x.ndim == 2:
            message = f"data.layout is channels, but a sample of shape {x.shape[1:]} is no image"
            raise DataError("data-mismatch", message, "write lines, flat or source", "data.layout")
        return x if x.ndim == 4 else x[:, None]
    if layout == "lines":
        lines = x[:, None] if x.ndim == 2 else x if x.ndim == 3 else x.transpose(0, 2, 1, 3)
        return np.ascontiguousarray(lines).reshape(len(x), lines.shape[1], -1)
    return x.reshape(len(x), -1) if layout == "flat" else x


def laid_out_batch(x_B: "Tensor", layout: str) -> "Tensor":
    """As `laid_out`, of a batch whose channels have an axis already where the layout is channels."""
    if layout == "lines":
        lines = x_B[:, None] if x_B.dim() == 2 else x_B if x_B.dim() == 3 else x_B.transpose(1, 2)
        return lines.reshape(len(x_B), lines.shape[1], -1)
    return x_B.reshape(len(x_B), -1) if layout == "flat" else x_B
