"""Queries, keys and values in, what each token attends to out.

B: samples, N: heads, T: tokens, D: width of a head, K: models of a batch under vmap.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def attend(
    q_BNTD: Tensor, k_BNTD: Tensor, v_BNTD: Tensor, *, causal: bool = False, dropout: nn.Dropout | None = None
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017); `dropout` acts on the weights, in training.

    Where nothing is dropped it is one fused kernel, under vmap one for all K models.
    """
    if dropout is None or not dropout.training or dropout.p == 0:
        if torch._C._functorch.is_batchedtensor(q_BNTD):
            folded: Tensor = _Folded.apply(q_BNTD, k_BNTD, v_BNTD, causal)  # type: ignore[no-untyped-call]
            return folded
        return F.scaled_dot_product_attention(q_BNTD, k_BNTD, v_BNTD, is_causal=causal)
    scores_BNTT = (q_BNTD * (1 / math.sqrt(q_BNTD.shape[-1]))) @ k_BNTD.transpose(-2, -1)
    if causal:
        scores_BNTT = scores_BNTT + _future(scores_BNTT)
    mixed_BNTD: Tensor = dropout(scores_BNTT.softmax(-1)) @ v_BNTD
    return mixed_BNTD


def _future(scores_BNTT: Tensor) -> Tensor:
    """(T, T): minus infinity where a token would look ahead, else 0."""
    shape = scores_BNTT.shape[-2:]
    return torch.full(shape, -math.inf, dtype=scores_BNTT.dtype, device=scores_BNTT.device).triu(1)


class _Folded(torch.autograd.Function):
    """Attention of K models as that of K * B samples; the fused kernels have no rule for vmap of their own.

    Only what vmap calls is ever run, and that is made of operations that have gradients.
    """

    @staticmethod
    def forward(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
        """Without vmap."""
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: object) -> None:
        """Nothing is kept."""

    @staticmethod
    def vmap(
        info: object, in_dims: tuple[int | None, ...], q: Tensor, k: Tensor, v: Tensor, causal: bool
    ) -> tuple[Tensor, int]:
        """(K, B, N, T, D) each, K where `in_dims` says."""
        size: int = info.batch_size  # type: ignore[attr-defined]
        q, k, v = (
            x.unsqueeze(0).expand(size, *x.shape) if axis is None else x.movedim(axis, 0)
            for x, axis in zip((q, k, v), in_dims, strict=False)
        )
        mixed = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), is_causal=causal)
        return mixed.view(size, -1, *mixed.shape[1:]), 0
