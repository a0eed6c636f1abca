"""Logits and targets, batch by batch -> a number that says how probable the targets were.

Each metric has the methods of torchmetrics': `update(logits (M, C), targets (M,))`, `compute()`, `reset()`. It measures
the model alone: unlike the loss, it knows neither class weights nor label smoothing.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _CrossEntropy(nn.Module):
    """The sum over all predictions so far, in nats, and their number."""

    mode = "min"
    nats: Tensor
    num_predictions: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        # In float64, because float32 stops counting at 16 million predictions.
        for name in ("nats", "num_predictions"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64), persistent=False)

    def reset(self) -> None:
        """Forget every prediction."""
        self.nats, self.num_predictions = torch.zeros_like(self.nats), torch.zeros_like(self.num_predictions)

    def update(self, logits_MC: Tensor, targets_M: Tensor) -> None:
        """Take in logits (M, C) and class numbers, or those of the right tokens, (M,)."""
        self.nats = self.nats + _nats(logits_MC, targets_M)
        self.num_predictions = self.num_predictions + len(targets_M)


class Perplexity(_CrossEntropy):
    """Exponential of the mean cross entropy: among how many equally probable classes, or tokens, a model wavers."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"exponential of the mean cross entropy over {self.num_classes} classes, each prediction weighing 1"

    def compute(self) -> Tensor:
        """A scalar from 1."""
        return (self.nats / self.num_predictions).exp()


class BitsPerCharacter(_CrossEntropy):
    """Mean cross entropy in bits, of text whose tokens are characters: what coding one takes (Shannon 1951)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"mean cross entropy in bits per character, {self.num_classes} characters, each prediction weighing 1"

    def compute(self) -> Tensor:
        """A scalar from 0."""
        return self.nats / self.num_predictions / math.log(2)


def _nats(logits_MC: Tensor, targets_M: Tensor) -> Tensor:
    return F.cross_entropy(logits_MC.float(), targets_M, reduction="none").double().sum()
