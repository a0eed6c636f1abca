"""Metrics of how probable the targets were.

Each metric is a torchmetrics metric: `update(logits (M, C), targets (M,))`, `compute()`. It measures the model alone:
unlike the loss, it knows neither class weights nor label smoothing.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from craftc.components.bounds import PositiveInt
from craftc.components.lean_torchmetrics import Metric


class _CrossEntropy(Metric):
    """The sum over all predictions so far, in nats, and their number."""

    takes_targets = ("class", "token")
    mode = "min"
    trivial = "class_frequencies"
    higher_is_better = False
    full_state_update = False
    nats: Tensor
    num_predictions: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        # In float64, because float32 stops counting at 16 million predictions.
        for name in ("nats", "num_predictions"):
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits_MC: Tensor, targets_M: Tensor, mask: Tensor | None = None) -> None:
        """Take in logits (M, C) and class numbers, or those of the right tokens, (M,), but for what a mask (M,) leaves
        out."""
        if mask is not None:
            logits_MC, targets_M = logits_MC[mask], targets_M[mask]
        self.nats += _nats(logits_MC, targets_M)
        self.num_predictions += len(targets_M)


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
    """Cross entropy in bits for each character of the text, whatever its tokens are: what coding one takes (Shannon
    1951).

    Args:
        num_characters: How many characters the text is written in: infer that of the data, or else as many as classes.
    """

    takes = ("text",)

    def __init__(self, num_classes: int, /, *, num_characters: PositiveInt | Literal["infer"] = "infer") -> None:
        super().__init__(num_classes)
        self.num_characters = num_classes if num_characters == "infer" else num_characters

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"mean cross entropy in bits per character, {self.num_characters} characters, each prediction weighing 1"

    def update(
        self, logits_MC: Tensor, targets_M: Tensor, mask: Tensor | None = None, characters: Tensor | None = None
    ) -> None:
        """As of a cross entropy, with how many characters each target is, (M,); where it is not said, one."""
        if mask is not None:
            logits_MC, targets_M = logits_MC[mask], targets_M[mask]
            characters = None if characters is None else characters[mask]
        self.nats += _nats(logits_MC, targets_M)
        self.num_predictions += len(targets_M) if characters is None else characters.double().sum()

    def compute(self) -> Tensor:
        """A scalar from 0."""
        return self.nats / self.num_predictions / math.log(2)


def _nats(logits_MC: Tensor, targets_M: Tensor) -> Tensor:
    return F.cross_entropy(logits_MC.float(), targets_M, reduction="none").double().sum()
