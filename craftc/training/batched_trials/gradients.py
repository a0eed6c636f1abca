"""Measures the gradients of K trainings, each by itself.

K: trainings, P: trained parameters of one model.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def norms_of(gradients: Sequence[Tensor]) -> Tensor:
    """The 2-norm of each parameter's gradient in each training (K, P), of P gradients (K, *shape)."""
    return torch.stack([torch.linalg.vector_norm(each.reshape(len(each), -1), dim=1) for each in gradients], dim=1)
