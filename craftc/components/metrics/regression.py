"""Metrics of quantities.

Each metric is a torchmetrics metric: `update(outputs, targets)`, both (B, ...), and `compute()`.

D: numbers of a sample.
"""

import torch
from torch import Tensor
from torchmetrics import Metric


class _Errors(Metric):
    """Sums over all samples so far, in float64: float32 loses what is small beside a large mean."""

    takes_targets = ("real", "vectors")
    full_state_update = False
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("count", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def _differences(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.shape != targets.shape:
            raise ValueError(f"outputs {tuple(outputs.shape)} are no predictions of targets {tuple(targets.shape)}")
        return outputs.double() - targets.double()


class MAE(_Errors):
    """Mean of the absolute differences between outputs and targets, in units of the target."""

    mode = "min"
    trivial = "median"
    higher_is_better = False
    identity = "mean of absolute differences, each number weighing 1"
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self.total += self._differences(outputs, targets).abs().sum()
        self.count += targets.numel()

    def compute(self) -> Tensor:
        """A scalar from 0."""
        return self.total / self.count


class RMSE(_Errors):
    """Root of the mean of the squared differences between outputs and targets, in units of the target."""

    mode = "min"
    trivial = "mean"
    higher_is_better = False
    identity = "root of the mean of squared differences, each number weighing 1"
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self.total += self._differences(outputs, targets).square().sum()
        self.count += targets.numel()

    def compute(self) -> Tensor:
        """A scalar from 0."""
        return (self.total / self.count).sqrt()


class R2(_Errors):
    """Share of the targets' variance that is explained (coefficient of determination), the mean over several numbers.

    0 is what the mean of the split itself would reach, and there is no least value. A number that does not vary is left
    out; where none does, the result is NaN.
    """

    mode = "max"
    trivial = "mean"
    higher_is_better = True
    identity = "coefficient of determination, mean over the numbers of a sample"

    squares: Tensor
    totals: Tensor
    targets_squared: Tensor

    def __init__(self, num_outputs: int, /) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        for name in ("squares", "totals", "targets_squared"):
            zeros = torch.zeros(num_outputs, dtype=torch.float64)
            self.add_state(name, default=zeros, dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        errors_BD = self._differences(outputs, targets).reshape(len(targets), -1)
        targets_BD = targets.double().reshape(len(targets), -1)
        self.squares += errors_BD.square().sum(0)
        self.totals += targets_BD.sum(0)
        self.targets_squared += targets_BD.square().sum(0)
        self.count += len(targets)

    def compute(self) -> Tensor:
        """A scalar up to 1."""
        variance_D = self.targets_squared - self.totals.square() / self.count
        # Of rounding alone, where all targets are the same.
        varies_D = variance_D > 1e-12 * self.targets_squared
        return (1 - self.squares / variance_D)[varies_D].mean()
