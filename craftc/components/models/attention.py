"""Queries, keys and values in, what each token attends to out.

B: samples, N: heads, T: tokens, D: width of a head, K: models of a batch under vmap.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.many import are_many, of_many


def attend(
    q_BNTD: Tensor, k_BNTD: Tensor, v_BNTD: Tensor, *, causal: bool = False, dropout: nn.Dropout | None = None
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017); `dropout` acts on the weights, in training.

    Where nothing is dropped it is one fused kernel, under vmap one for all K models.
    """
    is_one_of_many = are_many(q_BNTD)
    is_whole = dropout is None or not dropout.training or dropout.p == 0
    if is_whole and not (is_one_of_many and _is_short(q_BNTD)):
        if is_one_of_many:
            return of_many(partial(_folded, causal=causal), q_BNTD, k_BNTD, v_BNTD)
        return F.scaled_dot_product_attention(q_BNTD, k_BNTD, v_BNTD, is_causal=causal)
    scores_BNTT = (q_BNTD * (1 / math.sqrt(q_BNTD.shape[-1]))) @ k_BNTD.transpose(-2, -1)
    if causal:
        scores_BNTT = scores_BNTT + _future(scores_BNTT)
    weights_BNTT = _shares(scores_BNTT) if is_one_of_many else scores_BNTT.softmax(-1)
    mixed_BNTD: Tensor = (weights_BNTT if is_whole or dropout is None else dropout(weights_BNTT)) @ v_BNTD
    return mixed_BNTD


def _is_short(q_BNTD: Tensor) -> bool:
    """Whether the fused kernel takes longer than its parts: on a CPU, measured up to 29 tokens, and not at 64."""
    return q_BNTD.device.type == "cpu" and q_BNTD.shape[-2] <= 32


def _future(scores_BNTT: Tensor) -> Tensor:
    """(T, T): minus infinity where a token would look ahead, else 0."""
    shape = scores_BNTT.shape[-2:]
    return torch.full(shape, -math.inf, dtype=scores_BNTT.dtype, device=scores_BNTT.device).triu(1)


def _shares(scores_BNTT: Tensor) -> Tensor:
    """The softmax over the last axis, of many models. torch's takes a CPU three times as long for rows that do not fill
    a register of 16 numbers."""
    if scores_BNTT.device.type != "cpu" or scores_BNTT.shape[-1] >= 16:
        return scores_BNTT.softmax(-1)
    return of_many(_Softmax.apply, scores_BNTT)


def _folded(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """Attention of K models, (K, B, N, T, D) each, as that of K * B samples; fused kernels have no rule for vmap."""
    mixed = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), is_causal=causal)
    return mixed.view(len(q), -1, *mixed.shape[1:])


class _Softmax(torch.autograd.Function):
    """Over the last axis, in few passes over all numbers."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        """No row is all minus infinity: a token always sees itself."""
        shares = (scores - scores.amax(-1, keepdim=True)).exp_()
        shares /= shares.sum(-1, keepdim=True)
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        """As of any softmax."""
        (shares,) = ctx.saved_tensors
        product: Tensor = gradients[0] * shares
        return product.addcmul_(shares, product.sum(-1, keepdim=True), value=-1)
