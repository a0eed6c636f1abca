"""Terms, and a metric of the name of one."""

import torch


class Asks(torch.nn.Module):
    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, output, target, depth):
        return (output - target).abs().mean() * depth.mean()


class absolute_loss:  # noqa: N801
    mode = "min"

    def reset(self) -> None: ...

    def update(self, outputs, targets) -> None: ...

    def compute(self) -> float:
        return 0.0
