"""The small residual network for small images, of torchvision's blocks.

Shapes: B batch, C channels, H and W sides of an image, D width of the last stage.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt
from craftc.components.models.cnn import normalization


class SmallResNet(nn.Module):
    """Residual network for images of 32 pixels and fewer (He et al. 2016, section 4.2): 6n + 2 layers.

    One convolution of 3x3, stages of n basic blocks, the mean over all places, one linear layer. Every stage but the
    first halves the sides. Where a block changes its shape, the shortcut is a convolution of 1x1 with a normalization,
    as torchvision's are; the paper pads with zeros there. Weights are drawn as there (He et al. 2015).

    Args:
        num_channels: Of an image, 1 of a grey one.
        num_classes: Outputs of one image: logits of classes or labels, or as many quantities as its target has.
        blocks: Basic blocks of a stage, n: with three stages 3 make 20 layers, 5 make 32, 9 make 56.
        widths: Channels of each stage.
        norm: batch: over the images of a batch (Ioffe and Szegedy 2015), as in the paper; group: over 8 groups of
            channels of one image (Wu and He 2018), or as many fewer as divide the width.
        dropout: Probability that a number in front of the last layer is zeroed during training; the paper has none.
    """

    takes = ("images",)
    data_layout = "channels"
    packages: ClassVar = {"torchvision": "vision"}
    empty_means: ClassVar = {"widths": "without stages it is the model linear: {kind: linear}"}
    search_ranges: ClassVar = {
        "blocks": {"choice": [1, 2, 3, 5]},
        "widths": {"choice": [[16, 32, 64], [32, 64, 128]]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        num_channels: PositiveInt,
        num_classes: PositiveInt,
        blocks: PositiveInt = 3,
        widths: Annotated[Sequence[PositiveInt], MinLen(1)] = (16, 32, 64),
        norm: Literal["batch", "group"] = "batch",
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(num_channels, widths[0], 3, padding=1, bias=False), normalization(norm, widths[0]), nn.ReLU()
        )
        stages: list[nn.Module] = []
        for number, (width_in, width) in enumerate(zip((widths[0], *widths), widths, strict=False)):
            stages.append(_block(width_in, width, stride=2 if number else 1, norm=norm))
            stages += [_block(width, width, stride=1, norm=norm) for _ in range(blocks - 1)]
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, num_classes)."""
        pooled_BD = self.stages(self.stem(x_BCHW)).mean((-2, -1))
        logits: Tensor = self.head(self.dropout(pooled_BD))
        return logits


def _block(width_in: int, width: int, *, stride: int, norm: str) -> BasicBlock:
    shortcut = None
    if stride > 1 or width_in != width:
        projection = nn.Conv2d(width_in, width, 1, stride=stride, bias=False)
        shortcut = nn.Sequential(projection, normalization(norm, width))
    return BasicBlock(width_in, width, stride, shortcut, norm_layer=lambda num: normalization(norm, num))
