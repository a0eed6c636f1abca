"""A language model: a transformer that predicts each token from those before it.

Shapes: B batch, T tokens, V vocabulary, D d_model, N heads, K D / N, R K / 2.
"""

import math
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt
from craftc.components.models.attention import attend


class Decoder(nn.Module):
    """Causal transformer over tokens, a language model.

    Pre-norm blocks (Xiong et al. 2020) of scaled dot-product attention and a feed-forward layer, initialised as GPT-2
    (Radford et al. 2019): normal of deviation 0.02, less by the depth's root where a block adds to the residuals.
    Unlike there, attention weights are not dropped out, and linear layers have no biases but in the feed-forward layer.

    Args:
        vocabulary_size: Tokens that there are, and so logits of each.
        context_length: Most tokens of a sample.
        d_model: Width of a token.
        num_layers: Blocks.
        num_heads: Attention heads; divides d_model.
        d_ffn: Width of the feed-forward layer in a block.
        dropout: Probability that a value is zeroed during training: embeddings, hidden values and residuals.
        positions: learned adds a vector for each place; rotary turns queries and keys by their place, so that attention
            sees distances (Su et al. 2021); none leaves the order to the causal mask (Kazemnejad et al. 2023).
        tied: Whether logits are read off by the embedding itself (Press and Wolf 2017), not by weights of their own.
    """

    takes = ("text",)
    turns_2TR: Tensor | None
    constraints = ("d_model % num_heads == 0", "positions != 'rotary' or d_model // num_heads % 2 == 0")
    # Every width is divided by every number of heads, to an even number.
    search_ranges: ClassVar = {
        "d_model": {"choice": [32, 64, 128, 256]},
        "num_layers": {"int": [1, 6]},
        "num_heads": {"choice": [1, 2, 4, 8]},
        "d_ffn": {"choice": [128, 256, 512, 1024]},
        "dropout": {"uniform": [0.0, 0.3]},
    }

    def __init__(
        self,
        *,
        vocabulary_size: PositiveInt,
        context_length: PositiveInt,
        d_model: PositiveInt = 64,
        num_layers: PositiveInt = 2,
        num_heads: PositiveInt = 4,
        d_ffn: PositiveInt = 256,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
        positions: Literal["learned", "rotary", "none"] = "learned",
        tied: bool = True,
    ) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        width = d_model // num_heads
        if positions == "rotary" and width % 2:
            raise ValueError(f"rotary positions need heads of even width, and d_model / num_heads is {width}")
        self.embed = nn.Embedding(vocabulary_size, d_model)
        self.positions_TD = nn.Parameter(torch.empty(context_length, d_model)) if positions == "learned" else None
        self.dropout = nn.Dropout(dropout)
        turns_2TR = _turns(context_length, width) if positions == "rotary" else None
        self.register_buffer("turns_2TR", turns_2TR, persistent=False)
        self.blocks = nn.ModuleList(_Block(d_model, num_heads, d_ffn, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(d_model)
        self.head = None if tied else nn.Linear(d_model, vocabulary_size, bias=False)
        self._initialise(num_layers)

    def _initialise(self, num_layers: int) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                is_residual = name.endswith(("attention_out.weight", "ffn_out.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * num_layers) if is_residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Token numbers (B, T), T no more than context_length -> logits (B, T, V); those of a token see it and what
        stands before it."""
        num_tokens = tokens_BT.shape[-1]
        x_BTD = self.embed(tokens_BT)
        if self.positions_TD is not None:
            x_BTD = x_BTD + self.positions_TD[:num_tokens]
        x_BTD = self.dropout(x_BTD)
        turns_2TR = None if self.turns_2TR is None else self.turns_2TR[:, :num_tokens]
        for block in self.blocks:
            x_BTD = block(x_BTD, turns_2TR)
        weights_VD = self.embed.weight if self.head is None else self.head.weight
        return F.linear(self.norm(x_BTD), weights_VD)


class _Block(nn.Module):
    def __init__(self, d_model: int, num_heads: int, d_ffn: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.attention_out = nn.Linear(d_model, d_model, bias=False)
        self.ffn_norm = nn.LayerNorm(d_model)
        self.ffn_in = nn.Linear(d_model, d_ffn)
        self.ffn_dropout = nn.Dropout(dropout)
        self.ffn_out = nn.Linear(d_ffn, d_model)
        self.residual_dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, turns_2TR: Tensor | None) -> Tensor:
        x_BTD = x_BTD + self.residual_dropout(self._attend(self.attention_norm(x_BTD), turns_2TR))
        hidden_BTF = self.ffn_dropout(F.gelu(self.ffn_in(self.ffn_norm(x_BTD))))
        out_BTD: Tensor = x_BTD + self.residual_dropout(self.ffn_out(hidden_BTF))
        return out_BTD

    def _attend(self, x_BTD: Tensor, turns_2TR: Tensor | None) -> Tensor:
        q_BNTK, k_BNTK, v_BNTK = self.qkv(x_BTD).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        if turns_2TR is not None:
            q_BNTK, k_BNTK = _turned(q_BNTK, turns_2TR), _turned(k_BNTK, turns_2TR)
        mixed_BNTK = attend(q_BNTK, k_BNTK, v_BNTK, causal=True)
        attended_BTD: Tensor = self.attention_out(mixed_BNTK.transpose(1, 2).flatten(2))
        return attended_BTD


def _turns(num_positions: int, width: int) -> Tensor:
    """Cosines and sines of every position's angles, (2, T, R); each pair of values turns at a speed of its own."""
    speeds_R = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles_TR = torch.arange(num_positions)[:, None] * speeds_R
    return torch.stack([angles_TR.cos(), angles_TR.sin()])


def _turned(x_BNTK: Tensor, turns_2TR: Tensor) -> Tensor:
    """Every pair of values (k, k + R) turned by its position's angle."""
    cos_TR, sin_TR = turns_2TR.unbind()
    first, second = x_BNTK.chunk(2, dim=-1)
    return torch.cat([first * cos_TR - second * sin_TR, first * sin_TR + second * cos_TR], dim=-1)
