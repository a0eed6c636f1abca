"""A transformer whose tokens are the lines of an image.

Shapes: B batch, C channels, H lines, W pixels of a line, L line length C * W, T tokens, D d_model, N heads, K D / N.
"""

import math
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt
from craftc.components.models.attention import attend


class ScanlineViT(nn.Module):
    """Transformer encoder over image lines, top to bottom, as a scanning microscope records them.

    Pre-norm blocks (Xiong et al. 2020) with scaled dot-product attention, after Dosovitskiy et al. (2021); the patches
    are whole lines with all their channels. The class token stands after the last line, not before the first, so
    that it sees every line under a causal mask too.

    Args:
        num_lines: Lines of an image.
        line_length: Values of a line, all channels together.
        num_classes: Outputs of one image: logits of classes or labels, or as many quantities as its target has.
        d_model: Width of a token.
        num_layers: Encoder blocks.
        num_heads: Attention heads; divides d_model.
        d_ffn: Width of the feed-forward layer in a block.
        dropout: Probability that a value is zeroed during training: embeddings, attention weights and residuals.
        positions: Learned position vectors, or the fixed sinusoids of Vaswani et al. (2017).
        mask: causal lets a line see itself and the lines above; none lets it see all.
        pooling: What the logits are read from: cls a class token, mean all lines, last the last line.
    """

    takes = ("images",)
    constraints = ("d_model % num_heads == 0",)
    # Every width is divided by every number of heads.
    search_ranges: ClassVar = {
        "d_model": {"choice": [32, 64, 128]},
        "num_layers": {"int": [1, 6]},
        "num_heads": {"choice": [1, 2, 4, 8]},
        "d_ffn": {"choice": [64, 128, 256, 512]},
        "dropout": {"uniform": [0.0, 0.3]},
        "pooling": {"choice": ["cls", "mean", "last"]},
    }

    def __init__(
        self,
        *,
        num_lines: PositiveInt,
        line_length: PositiveInt,
        num_classes: PositiveInt,
        d_model: PositiveInt = 64,
        num_layers: PositiveInt = 4,
        num_heads: PositiveInt = 4,
        d_ffn: PositiveInt = 128,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
        positions: Literal["learned", "sinusoidal"] = "learned",
        mask: Literal["causal", "none"] = "none",
        pooling: Literal["cls", "mean", "last"] = "cls",
    ) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        self.pooling = pooling
        self.embed = nn.Linear(line_length, d_model)
        if positions == "learned":
            self.positions_TD = nn.Parameter(nn.init.trunc_normal_(torch.empty(num_lines, d_model), std=0.02))
        else:
            self.register_buffer("positions_TD", sinusoids(num_lines, d_model), persistent=False)
        if pooling == "cls":
            self.cls_D = nn.Parameter(nn.init.trunc_normal_(torch.empty(d_model), std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(d_model, num_heads, d_ffn, dropout, causal=mask == "causal") for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, H, W) or (B, C, H, W) -> logits (B, num_classes). Raises ValueError for other shapes."""
        tokens_BTD = self.embed(lines_of(x)) + self.positions_TD
        if self.pooling == "cls":
            tokens_BTD = torch.cat([tokens_BTD, self.cls_D.expand(len(x), 1, -1)], dim=1)
        tokens_BTD = self.dropout(tokens_BTD)
        for block in self.blocks:
            tokens_BTD = block(tokens_BTD)
        tokens_BTD = self.norm(tokens_BTD)
        pooled_BD = tokens_BTD.mean(1) if self.pooling == "mean" else tokens_BTD[:, -1]
        logits: Tensor = self.head(pooled_BD)
        return logits


class Block(nn.Module):
    """A pre-norm block of a transformer over lines, (B, T, D) to (B, T, D)."""

    def __init__(self, d_model: int, num_heads: int, d_ffn: int, dropout: float, *, causal: bool) -> None:
        super().__init__()
        self.num_heads, self.causal = num_heads, causal
        self.attention_norm = nn.LayerNorm(d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.attention_dropout = nn.Dropout(dropout)
        self.attention_out = nn.Linear(d_model, d_model)
        self.ffn_norm = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ffn), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_ffn, d_model))
        self.residual_dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Tokens (B, T, D) to as many."""
        x_BTD = x_BTD + self.residual_dropout(self._attend(self.attention_norm(x_BTD)))
        out_BTD: Tensor = x_BTD + self.residual_dropout(self.ffn(self.ffn_norm(x_BTD)))
        return out_BTD

    def _attend(self, x_BTD: Tensor) -> Tensor:
        q_BNTK, k_BNTK, v_BNTK = self.qkv(x_BTD).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        mixed_BNTK = attend(q_BNTK, k_BNTK, v_BNTK, causal=self.causal, dropout=self.attention_dropout)
        attended_BTD: Tensor = self.attention_out(mixed_BNTK.transpose(1, 2).flatten(2))
        return attended_BTD


def lines_of(x: Tensor) -> Tensor:
    """Images (B, H, W) or (B, C, H, W) as lines with all their channels, (B, H, C * W). Raises ValueError."""
    if x.dim() == 3:
        return x
    if x.dim() == 4:
        return x.transpose(1, 2).flatten(2)
    raise ValueError(f"a model of lines needs images, (B, H, W) or (B, C, H, W), not a batch of {tuple(x.shape)}")


def sinusoids(num_positions: int, width: int) -> Tensor:
    """The fixed position vectors of Vaswani et al. (2017), (T, D)."""
    frequencies = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(num_positions)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
