"""Models that read an image line by line and can decide after each: a causal transformer, and a recurrent network.

Shapes: B batch, L lines, W values of a line, T lines too, D width of a token, C classes, F channels of a convolution.
"""

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt
from craftc.components.models.scanline_vit import Block, lines_of, sinusoids

ConvDepth = Annotated[int, Ge(1), Le(5)]
KernelSize = Literal[3, 5, 7]


class LineTokenizer(nn.Module):
    """A one-dimensional CNN over each line by itself, (B, L, W) to (B, L, D): no line sees another.

    Each convolution but the first halves the line; what is left of all channels is projected to a token.
    """

    def __init__(self, line_length: int, width: int, num_convs: int, kernel_size: int, conv_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        length = line_length
        for index in range(num_convs):
            stride = 2 if index else 1
            channels = conv_channels if index else 1
            layers += [nn.Conv1d(channels, conv_channels, kernel_size, stride, kernel_size // 2), nn.ReLU()]
            length = (length - 1) // stride + 1
        self.convs = nn.Sequential(*layers)
        self.project = nn.Linear(conv_channels * length, width)

    def forward(self, lines_BLW: Tensor) -> Tensor:
        """A token of each line."""
        features = self.convs(lines_BLW.flatten(0, 1).unsqueeze(1)).flatten(1)
        tokens_BLD: Tensor = self.project(features).unflatten(0, lines_BLW.shape[:2])
        return tokens_BLD


def decided(line_logits_BLC: Tensor, exit_threshold: Tensor | float) -> dict[str, Tensor]:
    """The logits (B, C) at the first line whose largest probability is above the threshold, or else at the last line;
    those at each line; and how many lines were read, (B,)."""
    is_sure_BL = line_logits_BLC.softmax(-1).amax(-1) > exit_threshold
    # Nothing is below the last line, so a decision is made there.
    is_end_L = torch.arange(is_sure_BL.shape[1], device=is_sure_BL.device) == is_sure_BL.shape[1] - 1
    first_B = (is_sure_BL | is_end_L).int().argmax(1)
    place_B1C = first_B[:, None, None].expand(-1, 1, line_logits_BLC.shape[-1])
    logits_BC = line_logits_BLC.gather(1, place_B1C).squeeze(1)
    return {"logits": logits_BC, "line_logits": line_logits_BLC, "exit_line": first_B + 1}


class ScanlineTransformer(nn.Module):
    """Transformer over the lines of an image, each a token by a one-dimensional CNN, with logits at every line.

    With a causal mask a line sees itself and the lines above, so the logits at a line are what can be said when the
    microscope has recorded so much. Blocks are those of `scanline_vit`. By the value `exit_threshold` (Teerapittayanon
    et al. 2016, by confidence in the place of entropy) the model decides at the first line where its largest
    probability is above it; without the value, at the last line. `line_cross_entropy` trains the logits of every line.

    Args:
        num_lines: Lines of an image.
        line_length: Values of a line, all channels together.
        num_classes: Logits of one image.
        d_model: Width of a token.
        num_layers: Blocks.
        num_heads: Attention heads; divides d_model.
        d_ffn: Width of the feed-forward layer in a block.
        dropout: Probability that a value is zeroed during training: tokens, attention weights and residuals.
        positions: Learned position vectors, or fixed sinusoids.
        mask: causal lets a line see itself and the lines above; none lets it see all, and the model then decides at the
            last line whatever the threshold.
        num_convs: Convolutions over a line.
        kernel_size: Values that a convolution sees.
        conv_channels: Channels of each convolution.
    """

    takes = ("images",)
    constraints = ("d_model % num_heads == 0",)
    search_ranges: ClassVar = {
        "d_model": {"choice": [32, 64, 128, 256]},
        "num_layers": {"int": [1, 6]},
        "num_heads": {"choice": [1, 2, 4, 8]},
        "d_ffn": {"choice": [64, 128, 256, 512, 1024]},
        "dropout": {"uniform": [0.0, 0.3]},
        "num_convs": {"int": [1, 5]},
        "conv_channels": {"choice": [8, 16, 32]},
    }

    def __init__(
        self,
        *,
        num_lines: PositiveInt,
        line_length: PositiveInt,
        num_classes: PositiveInt,
        d_model: PositiveInt = 64,
        num_layers: PositiveInt = 2,
        num_heads: PositiveInt = 4,
        d_ffn: PositiveInt = 128,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
        positions: Literal["learned", "sinusoidal"] = "sinusoidal",
        mask: Literal["causal", "none"] = "causal",
        num_convs: ConvDepth = 3,
        kernel_size: KernelSize = 3,
        conv_channels: PositiveInt = 16,
    ) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        self.causal = mask == "causal"
        self.tokenize = LineTokenizer(line_length, d_model, num_convs, kernel_size, conv_channels)
        if positions == "learned":
            self.positions_TD = nn.Parameter(nn.init.trunc_normal_(torch.empty(num_lines, d_model), std=0.02))
        else:
            self.register_buffer("positions_TD", sinusoids(num_lines, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(d_model, num_heads, d_ffn, dropout, causal=self.causal) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, num_classes)

    def forward(self, x: Tensor, exit_threshold: Tensor | float = 1.0) -> dict[str, Tensor]:
        """Images (B, H, W) or (B, C, H, W), and a probability -> logits (B, C), line_logits (B, L, C), exit_line (B,).
        Raises ValueError for other shapes."""
        tokens_BTD = self.dropout(self.tokenize(lines_of(x)) + self.positions_TD)
        for block in self.blocks:
            tokens_BTD = block(tokens_BTD)
        return decided(self.head(self.norm(tokens_BTD)), exit_threshold if self.causal else 1.0)


class LRCN(nn.Module):
    """Recurrent convolutional network (Donahue et al. 2015) over the lines of an image: a one-dimensional CNN over
    each line, then `nn.LSTM` down the lines, with logits at every line. It decides as `scanline_transformer` does.

    torch has no rule for recurrent layers of several models at once, so that trials are trained one after another.

    Args:
        line_length: Values of a line, all channels together.
        num_classes: Logits of one image.
        d_token: Width of what the CNN makes of a line.
        d_hidden: Width of the state.
        num_layers: Layers one above the other.
        dropout: Probability that a value is zeroed during training: tokens, and what each layer puts out.
        num_convs: Convolutions over a line.
        kernel_size: Values that a convolution sees.
        conv_channels: Channels of each convolution.
    """

    takes = ("images",)
    search_ranges: ClassVar = {
        "d_token": {"choice": [32, 64, 128]},
        "d_hidden": {"log_int": [32, 256]},
        "num_layers": {"int": [1, 3]},
        "dropout": {"uniform": [0.0, 0.5]},
        "num_convs": {"int": [1, 5]},
        "conv_channels": {"choice": [8, 16, 32]},
    }

    def __init__(
        self,
        *,
        line_length: PositiveInt,
        num_classes: PositiveInt,
        d_token: PositiveInt = 64,
        d_hidden: PositiveInt = 64,
        num_layers: PositiveInt = 1,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
        num_convs: ConvDepth = 3,
        kernel_size: KernelSize = 3,
        conv_channels: PositiveInt = 16,
    ) -> None:
        super().__init__()
        self.tokenize = LineTokenizer(line_length, d_token, num_convs, kernel_size, conv_channels)
        self.dropout = nn.Dropout(dropout)
        widths = [d_token, *[d_hidden] * (num_layers - 1)]
        self.layers = nn.ModuleList(nn.LSTM(width, d_hidden, batch_first=True) for width in widths)
        self.head = nn.Linear(d_hidden, num_classes)

    def forward(self, x: Tensor, exit_threshold: Tensor | float = 1.0) -> dict[str, Tensor]:
        """As of ScanlineTransformer."""
        state_BLD = self.tokenize(lines_of(x))
        for layer in self.layers:
            state_BLD = layer(self.dropout(state_BLD))[0]
        return decided(self.head(self.dropout(state_BLD)), exit_threshold)
