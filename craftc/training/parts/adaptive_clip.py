"""Clips gradients unit by unit, by how large their weights are (Brock et al. 2021).

K: trainings of a batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST_WEIGHT, SMALLEST_GRADIENT = 1e-3, 1e-6
"""What the norm of a unit counts for at least: one that begins at zero could never leave it otherwise."""


@torch.no_grad()
def clip_units(weights: Sequence[Tensor], gradients: Sequence[Tensor], factor: float | Tensor) -> None:
    """Scale, in place, the gradient of each unit whose norm is above `factor` times that of its weights.

    The units of a parameter are its rows, along the first axis; one of a single axis, or none, is one unit, as in timm.
    With `factor` (K,), parameters are (K, ...), a training's each.
    """
    num_leading = factor.dim() if isinstance(factor, Tensor) else 0
    for weight, gradient in zip(weights, gradients, strict=True):
        num_axes = weight.dim() - num_leading
        first = num_leading + (1 if num_axes > 1 else 0)
        most = _norm(weight, first).clamp_(min=SMALLEST_WEIGHT)
        most = most * (factor.view(-1, *[1] * num_axes) if isinstance(factor, Tensor) else factor)
        norm = _norm(gradient, first)
        scale = torch.where(norm < most, 1.0, most / norm.clamp(min=SMALLEST_GRADIENT))
        gradient.mul_(scale.nan_to_num_(nan=1.0))


def _norm(values: Tensor, first: int) -> Tensor:
    """Over the axes from `first` on, which stay with a length of 1."""
    axes = tuple(range(first, values.dim()))
    return torch.linalg.vector_norm(values, dim=axes, keepdim=True) if axes else values.abs()
