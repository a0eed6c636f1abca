"""Adds up the losses of a batch's numbers, each by its weight.

B: samples of a batch.
"""

import torch
from torch import Tensor


def check_same_shape(name: str, outputs: Tensor, targets: Tensor) -> None:
    """Raise where numbers would be compared with others than their own, which torch may do without a word."""
    if outputs.shape != targets.shape:
        raise ValueError(
            f"{name} compares outputs {tuple(outputs.shape)} with targets {tuple(targets.shape)}; "
            "it needs as many numbers of a sample as its target has"
        )


def summed(losses: Tensor, mask: Tensor | None, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Losses (B, ...) as (sum, weight), two scalars. What a `mask` leaves out does not count; a `weight` counts for all
    numbers of its sample. Each is (B,), or as the losses are."""
    if mask is None and weight is None:
        return losses.sum(), losses.new_full((), losses.numel())
    share = torch.ones_like(losses)
    for factor in (mask, weight):
        if factor is not None:
            share = share * factor.to(losses.dtype).view(*factor.shape, *[1] * (losses.dim() - factor.dim()))
    return (losses * share).sum(), share.sum()
