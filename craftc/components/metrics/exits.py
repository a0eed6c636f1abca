"""How early a model that reads line by line is sure."""

import torch
from torch import Tensor

from craftc.components.lean_torchmetrics import Metric


class ExitLine(Metric):
    """Mean number of lines that are read before the model decides, from 1: its output `exit_line`.

    By the value `exit_threshold`, `scanline_transformer` and `lrcn` decide at the first line where they are surer than
    that; the other metrics of the same pass are then those at the exit.
    """

    takes = ("images",)
    takes_targets = ("class",)
    mode = "min"
    higher_is_better = False
    full_state_update = False
    identity = "mean number of lines read before the decision"
    total: Tensor
    num_samples: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        for name in ("total", "num_samples"):
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits_BC: Tensor, targets_B: Tensor, exit_line: Tensor) -> None:
        """Take in how many lines were read of each sample, (B,)."""
        self.total += exit_line.sum().to(self.total)
        self.num_samples += exit_line.numel()

    def compute(self) -> Tensor:
        """A scalar from 1 to the number of lines."""
        return self.total / self.num_samples
