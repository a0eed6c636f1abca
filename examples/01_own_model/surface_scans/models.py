"""Scans -> logits, by convolutions along the lines and across them.

B: images, C: channels, H: lines, W: values of a line.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Lt
from torch import Tensor, nn


class ScanNet(nn.Module):
    """Looks along each line first, then across neighbouring lines, and pools over the image.

    Args:
        num_classes: Classes to tell apart.
        width: Channels of each layer.
        along: Values of a line that a filter sees.
        across: Neighbouring lines that a filter sees; 1 leaves every line by itself.
        pooling: What is kept of each channel over the image.
        dropout: Probability that a channel's pooled value is zeroed during training.
    """

    constraints = ("along % 2 == 1", "across % 2 == 1")

    def __init__(
        self,
        *,
        num_classes: Annotated[int, Ge(2)],
        width: Annotated[int, Ge(1)] = 16,
        along: Annotated[int, Ge(1)] = 7,
        across: Annotated[int, Ge(1)] = 5,
        pooling: Literal["max", "mean"] = "max",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, (1, along), padding=(0, along // 2)),
            nn.GELU(),
            nn.Conv2d(width, width, (across, 1), padding=(across // 2, 0)),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
        )
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x_BHW: Tensor) -> Tensor:
        """Logits (B, num_classes)."""
        features_BCHW = self.layers(x_BHW[:, None])
        pooled_BC = features_BCHW.amax((2, 3)) if self.pooling == "max" else features_BCHW.mean((2, 3))
        return self.head(self.dropout(pooled_BC))
