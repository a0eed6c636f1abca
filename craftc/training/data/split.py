"""Defines the samples of one split, as named columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.sources.columns import MASK, OF_BATCHES, TARGETS_MASK, Column, Role


@dataclass(frozen=True)
class Split:
    """Samples of one split, never written to: columns by name, in the order in which the source gives them.

    Inputs are float32, normalized, where they are quantities. Samples that are yet to be augmented and normalized have
    as many bits as their source gives.
    """

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.columns[self.first])

    def named(self, *roles: Role) -> tuple[str, ...]:
        """The names of the columns of these roles."""
        return tuple(name for name, column in self.columns.items() if column.role in roles)

    @property
    def first(self) -> str:
        """The name of the first input."""
        return self.named("input")[0]

    @property
    def target(self) -> str | None:
        """The name of the target; None where there is none, or more than one."""
        targets = self.named("target")
        return targets[0] if len(targets) == 1 else None

    @property
    def target_mask(self) -> str | None:
        """The name of the mask that says what of the target counts: `targets_mask`, or a `mask` of the target's own
        shape, or of its leading axes. A mask of anything else says nothing of the target. A transcript, which blanks
        fill up, has none."""
        names, target = self.named("mask"), self.target_column
        if target is not None and target.kind == "transcript":
            return None
        if TARGETS_MASK in names or target is None:
            return TARGETS_MASK if TARGETS_MASK in names else None
        shape = self.columns[MASK].shape if MASK in names else None
        return MASK if shape is not None and target.shape[: len(shape)] == shape else None

    @property
    def inputs(self) -> NDArray[Any]:
        """The values of the first input."""
        return self.columns[self.first].values

    @property
    def targets(self) -> NDArray[Any]:
        """The values of the target; of none or several, the numbers of the samples."""
        return np.arange(len(self)) if self.target is None else self.columns[self.target].values

    @property
    def target_column(self) -> Column | None:
        """The target."""
        return None if self.target is None else self.columns[self.target]

    def in_batches(self) -> dict[str, NDArray[Any]]:
        """The values of the columns that batches have."""
        return {name: column.values for name, column in self.columns.items() if column.role in OF_BATCHES}

    def with_values(self, values: Mapping[str, NDArray[Any]]) -> "Split":
        """The same with other values in some of the columns."""
        return Split({**self.columns, **{name: self.columns[name].with_values(v) for name, v in values.items()}})
