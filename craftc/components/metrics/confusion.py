"""Logits and targets, batch by batch -> how often each class was taken for each other.

Not torchmetrics' own, since importing any part of that imports all of it, scipy and matplotlib included: half of what a
process that trains had to import beside torch.
"""

import torch
from torch import Tensor, nn


class ConfusionMatrix(nn.Module):
    """Counts on the device: `counts_CC` of samples by their class (rows) and by that of their largest logit."""

    counts_CC: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.register_buffer("counts_CC", torch.zeros(num_classes, num_classes, dtype=torch.long), persistent=False)

    def reset(self) -> None:
        """Forget every sample."""
        self.counts_CC = torch.zeros_like(self.counts_CC)

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        """Take in logits (B, C) and class numbers (B,)."""
        cells_B = targets_B * self.num_classes + logits_BC.argmax(-1)
        counts = torch.bincount(cells_B, minlength=self.num_classes**2)
        self.counts_CC = self.counts_CC + counts.view_as(self.counts_CC)
