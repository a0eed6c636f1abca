"""A plain convolutional network of torch's own layers.

Shapes: B batch, C channels, H and W sides of an image, D width of the last stage.
"""

from collections.abc import Sequence
from math import gcd
from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
MOST_GROUPS = 8
"""Of channels that are normalized together; fewer where the width is no multiple."""


class CNN(nn.Module):
    """Convolutions by stages, each of half the sides of the one before, then the mean over all places.

    A stage is a convolution that keeps the sides, a normalization, the activation and a pooling over 2x2 places. An odd
    side is rounded up, so images of every size can be taken, a single line too.

    Args:
        num_channels: Of an image, 1 of a grey one.
        num_classes: Outputs of one image: logits of classes or labels, or as many quantities as its target has.
        widths: Channels of each stage.
        kernel: Sides of the window of a convolution; odd.
        norm: batch: over the images of a batch (Ioffe and Szegedy 2015); group: over 8 groups of channels of one image
            (Wu and He 2018), or as many fewer as divide the width; none.
        activation: Nonlinearity of each stage.
        pooling: What is taken of 2x2 places: the largest number or the mean. none keeps the sides.
        dropout: Probability that a number in front of the last layer is zeroed during training.
    """

    takes = ("images",)
    data_layout = "channels"
    constraints = ("kernel % 2 == 1",)
    empty_means: ClassVar = {"widths": "without stages it is the model linear: {kind: linear}"}
    search_ranges: ClassVar = {
        "widths": {"choice": [[16, 32], [32, 64], [32, 64, 128], [64, 128, 256]]},
        "norm": {"choice": ["batch", "group"]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        num_channels: PositiveInt,
        num_classes: PositiveInt,
        widths: Annotated[Sequence[PositiveInt], MinLen(1)] = (32, 64),
        kernel: PositiveInt = 3,
        norm: Literal["batch", "group", "none"] = "batch",
        activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
        pooling: Literal["max", "mean", "none"] = "max",
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} is even, and has no middle; write {kernel + 1}")
        stages: list[nn.Module] = []
        for width_in, width in zip((num_channels, *widths), widths, strict=False):
            # A normalization has a bias of its own.
            stages.append(nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=norm == "none"))
            if norm != "none":
                stages.append(normalization(norm, width))
            stages += [ACTIVATIONS[activation](), *_pooling(pooling)]
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, num_classes)."""
        pooled_BD = self.stages(x_BCHW).mean((-2, -1))
        logits: Tensor = self.head(self.dropout(pooled_BD))
        return logits


def normalization(norm: str, width: int) -> nn.Module:
    """The layer of that name, `batch` or `group`, for so many channels."""
    return nn.BatchNorm2d(width) if norm == "batch" else nn.GroupNorm(gcd(MOST_GROUPS, width), width)


def _pooling(pooling: str) -> list[nn.Module]:
    if pooling == "none":
        return []
    return [nn.MaxPool2d(2, ceil_mode=True) if pooling == "max" else nn.AvgPool2d(2, ceil_mode=True)]
