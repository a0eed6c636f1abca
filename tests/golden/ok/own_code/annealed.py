"""A model that takes values over time, and a phase of them."""

from typing import Literal

import torch
from torch import Tensor, nn


class Annealed(nn.Module):
    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(64, num_classes)

    def forward(
        self, x: Tensor, keep: Tensor | float = 1.0, *, scale: float = 1.0, shift: float = 0.0, tilt=0.0, spin=0.0
    ) -> Tensor:
        kept = torch.arange(64, device=x.device) < 64 * keep
        return self.head(torch.where(kept, x.flatten(1), 0.0)) * scale + shift + tilt + spin


class Sawtooth:
    def __init__(self, *, top: float, epochs: int | Literal["none"] = "none") -> None:
        self.top, self.epochs = top, epochs

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        return self.top * (step % steps_per_epoch) / steps_per_epoch
