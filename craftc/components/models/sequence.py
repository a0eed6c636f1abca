"""A chain of modules, each by its place in Python: networks without a class of their own."""

from collections.abc import Sequence
from typing import Annotated

from annotated_types import MinLen
from torch import nn


class ModuleSequence(nn.Sequential):
    """Modules one after another, each given what the one before it returns: `torch.nn.Sequential`.

    Args:
        modules: Each with its arguments by name, or by position as `args`: {kind: torch.nn:Linear, args: [64, 10]}.
            `infer num_classes` in the place of a number takes it from the data.
    """

    def __init__(self, *, modules: Annotated[Sequence[nn.Module], MinLen(1)]) -> None:
        super().__init__(*modules)
