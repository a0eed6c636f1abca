"""Logits and targets -> what an operator who looks at the first few guesses would get."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor


class TopAccuracy:
    """Share of samples whose class is among the k most likely.

    Args:
        k: How many guesses count.
    """

    mode = "max"

    def __init__(self, *, k: Annotated[int, Ge(1)] = 2) -> None:
        self.k = k
        self.reset()

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"share of samples whose class is among the {self.k} most likely"

    def reset(self) -> None:
        """Forget every sample."""
        self._num_right, self._num_samples = torch.zeros(()), 0

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        """Take in a batch."""
        guesses_BK = logits_BC.topk(min(self.k, logits_BC.shape[1])).indices
        self._num_right = self._num_right + (guesses_BK == targets_B[:, None]).sum().cpu()
        self._num_samples += len(targets_B)

    def compute(self) -> float:
        """A number from 0 to 1."""
        return float(self._num_right) / self._num_samples
