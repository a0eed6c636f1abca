"""Models that the specs beside this folder name. Nothing imports them: importing this file fails."""

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le
from torch import nn

raise RuntimeError("linting imported a user's module")


class Encoder(nn.Identity):
    """Layers."""

    constraints = ("width % heads == 0",)

    def __init__(self, width: Annotated[int, Ge(1)], depth: int = 2, heads: int = 1): ...


class Net(nn.Identity):
    """A net of layers."""

    def __init__(
        self,
        encoder: Encoder,
        heads: list[nn.Module] | None = None,
        *,
        rate: Annotated[float, Ge(0), Le(1)] = 0.1,
        act: Literal["relu", "gelu"] = "relu",
        weights: Path | None = None,
        table: dict[str, int] = {},
        untyped=None,
        num_classes: int,
    ): ...


class Wide(Encoder):
    """An encoder that hands on what it is given."""

    def __init__(self, factor: int = 2, **kwargs):
        super().__init__(heads=1, **kwargs)


class Open(nn.Identity):
    """Takes anything."""

    def __init__(self, width: int = 8, **options):
        self.width = width or options.pop("width")


class Config:
    """No module."""

    def __init__(self, width: int = 8): ...


class Positional(nn.Identity):
    """Wants something that nobody has."""

    def __init__(self, tokenizer, /, width: int = 8): ...


SIZE = 3
