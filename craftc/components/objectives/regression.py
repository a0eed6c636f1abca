"""Losses of quantities, each as a sum and the weight by which it is to be divided.

B: samples of a batch. Outputs and targets are of one shape, (B,) or (B, ...). Every number weighs 1, or what the
columns `mask` and `weight` say where the data has them.
"""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, PositiveFloat
from craftc.components.objectives.weighing import check_same_shape, summed


class MSE(nn.Module):
    """Mean of the squared differences between outputs and targets."""

    takes_targets = ("real", "vectors")
    trivial = "mean"
    identity = "mean of squared differences"

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, ...) and (B, ...) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("mse", outputs, targets)
        return summed(F.mse_loss(outputs, targets, reduction="none"), mask, weight)


class L1(nn.Module):
    """Mean of the absolute differences between outputs and targets."""

    takes_targets = ("real", "vectors")
    trivial = "median"
    identity = "mean of absolute differences"

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, ...) and (B, ...) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("l1", outputs, targets)
        return summed(F.l1_loss(outputs, targets, reduction="none"), mask, weight)


class Huber(nn.Module):
    """Huber's loss (1964): half the squared difference up to `delta`, beyond it growing with the difference alone.

    Args:
        delta: The difference at which the one becomes the other, in units of the target.
    """

    takes_targets = ("real", "vectors")
    trivial = "median"
    delta: Tensor

    def __init__(self, *, delta: Annotated[PositiveFloat, PER_TRIAL] = 1.0) -> None:
        super().__init__()
        self.register_buffer("delta", torch.tensor(float(delta)), persistent=False)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        return f"mean of Huber's loss, delta {float(self.delta):g}"

    def forward(
        self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, ...) and (B, ...) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("huber", outputs, targets)
        far = (outputs - targets).abs()
        # By a tensor, so that trials of one batch may differ in it.
        losses = torch.where(far <= self.delta, 0.5 * far.square(), self.delta * (far - 0.5 * self.delta))
        return summed(losses, mask, weight)
