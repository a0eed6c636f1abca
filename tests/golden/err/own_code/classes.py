"""A model that takes classes."""

from collections.abc import Callable

from torch import nn


class Layer:
    def __init__(self, width: int): ...


class Net(nn.Module):
    def __init__(
        self,
        act: type[nn.Module],
        norm: Callable[..., nn.Module],
        layer: type,
        head: type[nn.Module] | None = None,
        body: type[nn.Module] | None = None,
    ): ...

    def forward(self, x): ...
