"""Components whose methods craftc cannot call as it does, and another framework's model."""

import lightning as L
from torch import nn


class Masked(nn.Module):
    def forward(self, x, mask): ...


class Nothing(nn.Module):
    def __init__(self, width: int = 3): ...


class Lone(nn.Module):
    def forward(self, logits): ...


class Weighted:
    def reset(self): ...

    def update(self, logits, targets, weights): ...

    def compute(self): ...


class Plain:
    def __call__(self, logits, targets): ...


class Module(L.LightningModule):
    def forward(self, x): ...

    def training_step(self, batch, index): ...

    def configure_optimizers(self): ...


class Tuned(Module):
    def test_step(self, batch, index): ...
