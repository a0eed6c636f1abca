"""Computes attention from queries, keys and values, also for many models under vmap.

B: samples, N: heads, T: tokens, D: width of a head, K: models of a batch under vmap, M: all samples of all models.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.many import are_many, of_many

SCORES_AT_ONCE = 2**17
"""Attention weights that a CPU works on at once: with what they are made of, 1 MiB."""


def attend(
    q_BNTD: Tensor, k_BNTD: Tensor, v_BNTD: Tensor, *, causal: bool = False, dropout: nn.Dropout | None = None
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017); `dropout` acts on the weights, in training.

    Where nothing is dropped it is one fused kernel, under vmap one for all K models; but for few tokens on a CPU, which
    that kernel takes longer for than its parts do.
    """
    is_one_of_many = are_many(q_BNTD)
    is_whole = dropout is None or not dropout.training or dropout.p == 0
    if is_whole and not _is_short(q_BNTD, is_one_of_many):
        if is_one_of_many:
            return of_many(partial(_folded, causal=causal), q_BNTD, k_BNTD, v_BNTD)
        return F.scaled_dot_product_attention(q_BNTD, k_BNTD, v_BNTD, is_causal=causal)
    if is_whole and not torch.is_grad_enabled() and q_BNTD.shape[-1] < 8 and q_BNTD.shape[-2] < 16:
        by_samples = partial(_in_pieces, causal=causal)
        return of_many(by_samples, q_BNTD, k_BNTD, v_BNTD) if is_one_of_many else by_samples(q_BNTD, k_BNTD, v_BNTD)
    scores_BNTT = (q_BNTD * (1 / math.sqrt(q_BNTD.shape[-1]))) @ k_BNTD.transpose(-2, -1)
    if causal:
        scores_BNTT = scores_BNTT + _future(scores_BNTT)
    weights_BNTT = _shares(scores_BNTT) if is_one_of_many or is_whole else scores_BNTT.softmax(-1)
    mixed_BNTD: Tensor = (weights_BNTT if is_whole or dropout is None else dropout(weights_BNTT)) @ v_BNTD
    return mixed_BNTD


def _is_short(q_BNTD: Tensor, is_one_of_many: bool) -> bool:
    """Whether the fused kernel takes longer than its parts: on a CPU, measured of many models up to 29 tokens, and not
    at 64; of one, in evaluation, twice as long at 9 tokens. Steps of one model keep to torch's own kernel."""
    if q_BNTD.device.type != "cpu":
        return False
    if is_one_of_many:
        return q_BNTD.shape[-2] <= 32
    is_full = q_BNTD.dtype in (torch.float32, torch.float64)
    return is_full and not torch.is_grad_enabled() and q_BNTD.shape[-2] < 16


def _future(scores_BNTT: Tensor) -> Tensor:
    """(T, T): minus infinity where a token would look ahead, else 0."""
    shape = scores_BNTT.shape[-2:]
    return torch.full(shape, -math.inf, dtype=scores_BNTT.dtype, device=scores_BNTT.device).triu(1)


def _shares(scores_BNTT: Tensor) -> Tensor:
    """The softmax over the last axis. torch's takes a CPU three times as long for rows that do not fill
    a register of 16 numbers."""
    if scores_BNTT.device.type != "cpu" or scores_BNTT.shape[-1] >= 16:
        return scores_BNTT.softmax(-1)
    return of_many(_Softmax.apply, scores_BNTT) if are_many(scores_BNTT) else _softmax(scores_BNTT)


def _folded(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """Attention of K models, (K, B, N, T, D) each, as that of K * B samples; fused kernels have no rule for vmap."""
    mixed = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), is_causal=causal)
    return mixed.view(len(q), -1, *mixed.shape[1:])


def _in_pieces(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """`_by_samples` of as many samples of (..., B, N, T, D) at once as a cache has room for."""
    scores_per_sample = q.shape[:-4].numel() * q.shape[-3] * q.shape[-2] ** 2
    size = max(SCORES_AT_ONCE // scores_per_sample, 1)
    pieces = zip(*(torch.split(x, size, dim=-4) for x in (q, k, v)), strict=True)
    return torch.cat([_by_samples(*piece, causal=causal) for piece in pieces], dim=-4)


def _by_samples(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """Attention of (..., B, N, T, D) without gradients, by operations whose innermost loop is over all samples. For
    matrices of 9 tokens by 4 numbers, their products take a CPU four times as long; by 8, as long."""
    samples, width = q.shape[:-3], q.shape[-1]
    q_NTDM, k_NTDM, v_NTDM = (
        x.movedim((-3, -2, -1), (0, 1, 2)).contiguous().flatten(3) for x in (q * (1 / math.sqrt(width)), k, v)
    )
    scores_NTTM = q_NTDM[:, :, None, 0] * k_NTDM[:, None, :, 0]
    for d in range(1, width):
        scores_NTTM.addcmul_(q_NTDM[:, :, None, d], k_NTDM[:, None, :, d])
    if causal:
        scores_NTTM += _future(scores_NTTM[0, :, :, 0])[:, :, None]
    weights_NTTM = scores_NTTM.softmax(2)
    mixed_NTDM = weights_NTTM[:, :, 0, None] * v_NTDM[:, None, 0]
    for token in range(1, v_NTDM.shape[1]):
        mixed_NTDM.addcmul_(weights_NTTM[:, :, token, None], v_NTDM[:, None, token])
    mixed = mixed_NTDM.view(*mixed_NTDM.shape[:3], *samples)
    return mixed.movedim((0, 1, 2), (-3, -2, -1))


def _softmax(scores: Tensor) -> Tensor:
    """No row is all minus infinity: a token always sees itself."""
    shares = (scores - scores.amax(-1, keepdim=True)).exp_()
    shares /= shares.sum(-1, keepdim=True)
    return shares


class _Softmax(torch.autograd.Function):
    """Over the last axis."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        """In few passes over all numbers."""
        shares = _softmax(scores)
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        """As of any softmax."""
        (shares,) = ctx.saved_tensors
        product: Tensor = gradients[0] * shares
        return product.addcmul_(shares, product.sum(-1, keepdim=True), value=-1)
