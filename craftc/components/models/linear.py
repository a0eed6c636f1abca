"""Softmax regression: one linear map to logits, the smallest model that learns anything."""

import torch
from torch import Tensor, nn

from craftc.components.bounds import PositiveInt


class Linear(nn.Module):
    """Softmax regression over all input values; a baseline that a deeper model has to beat.

    Args:
        num_features: Values of one sample.
        num_classes: Outputs of one sample: logits of classes or labels, or as many quantities as its target has.
    """

    takes = ("images", "table")

    def __init__(self, *, num_features: PositiveInt, num_classes: PositiveInt) -> None:
        super().__init__()
        self.head = nn.Linear(num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (B, *shape) -> logits (B, num_classes)."""
        logits: Tensor = self.head(torch.flatten(x, 1))
        return logits
