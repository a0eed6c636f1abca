"""The angle between vectors as a loss, as a sum and the weight by which it is to be divided.

B: samples of a batch, D: numbers of a vector.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.objectives.weighing import check_same_shape, summed


def similarities(name: str, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """The cosine similarity (B, ...) of vectors (B, ..., D), as torch's `CosineSimilarity` computes it. Raises where
    the last axis is none of a sample, or a mask speaks of single numbers."""
    check_same_shape(name, outputs, targets)
    if outputs.dim() < 2:
        raise ValueError(f"{name} compares vectors, and a target {tuple(targets.shape)} is one number of each sample")
    if mask is not None and mask.dim() >= outputs.dim():
        raise ValueError(f"{name} leaves out whole vectors, and the mask {tuple(mask.shape)} is of their numbers")
    return F.cosine_similarity(outputs, targets, dim=-1)


class Cosine(nn.Module):
    """Mean over vectors of 1 - cosine similarity: their directions count, and not their lengths.

    With a `temperature` t below 1, badly reconstructed vectors count more: the loss of a vector is t (e^(d / t) - 1),
    where d = 1 - cosine similarity, the tilted loss of Li et al. (2021) by vector, shifted so that 0 remains the best
    and 1 the slope there. As t grows it becomes d; `none` is d itself.

    The last axis is a vector: (B, D) has one of each sample, (B, T, D) T of them. Every vector weighs 1, or what the
    columns `mask` and `weight` say where the data has them. The trivial predictor gives the mean vector.

    Args:
        temperature: What d is divided by, at least 0.1, or none.
    """

    takes_targets = ("real", "vectors")
    trivial = "mean"
    identity = "mean of 1 - cosine similarity"

    def __init__(self, *, temperature: Annotated[float, Ge(0.1)] | Literal["none"] = "none") -> None:
        super().__init__()
        self.temperature = None if temperature == "none" else temperature
        if self.temperature is not None:
            self.identity = f"mean of {self.temperature:g} (exp((1 - cosine similarity) / {self.temperature:g}) - 1)"

    def forward(
        self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, ..., D) and (B, ..., D) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        distances = 1 - similarities("cosine", outputs, targets, mask)
        if self.temperature is not None:
            distances = self.temperature * torch.expm1(distances / self.temperature)
        return summed(distances, mask, weight)
