"""Defines labelled samples, the short form of an input and a class for each, and checks them once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.npz_file import channels_last
from craftc.components.errors import DataError, DataWarning, raised
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.constant_columns import constant_columns
from craftc.components.sources.table import Table

Inputs = NDArray[np.float32] | NDArray[np.float64]
INPUT, TARGET = "x", "y"
"""What the columns of a source that names none are called."""


@dataclass(frozen=True)
class Asked:
    """What `data.splits` wants of a source beside inputs and targets: `columns` by which samples are told apart, and
    split to the folder that holds its images."""

    columns: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)


ASKED_NOTHING = Asked()


@dataclass(frozen=True)
class Samples:
    """Labelled samples.

    Args:
        inputs: float32 or float64, as exact as the source has them: (N, F) tables, (N, H, W) grey images or
            (N, C, H, W); finite.
        targets: int64, (N,), from 0 to the number of classes minus 1.
        class_names: Name of each class, in the order of the targets' numbers; each name once.
        columns: Of a table, the names of its columns; nothing where they have none.
        warnings: What the user should know of them.
        by_sample: Columns that are no inputs, (N,) each: what groups, orders or assigns samples; `id` names them, and
            `split` says which split each is in.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    inputs: Inputs
    targets: NDArray[np.int64]
    class_names: tuple[str, ...]
    columns: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()
    by_sample: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if last := channels_last(self.inputs.shape):
            object.__setattr__(self, "warnings", (*self.warnings, *raised([replace(last, path=("data", "source"))])))
        problem = self._problem()
        if problem:
            raise DataError("data-mismatch", f"the samples do not fit together: {problem}", "check the data source")
        constant = [each for each in constant_columns(self.inputs, self.columns) if each not in self.warnings]
        object.__setattr__(self, "warnings", (*self.warnings, *constant))

    def __len__(self) -> int:
        return len(self.targets)

    def _problem(self) -> str | None:
        inputs, targets, names = self.inputs, self.targets, self.class_names
        if inputs.dtype not in (np.float32, np.float64) or targets.dtype != np.int64:
            return f"inputs are {inputs.dtype} and targets {targets.dtype}, not float32 or float64 and int64"
        if inputs.ndim not in (2, 3, 4):
            return f"inputs of shape {inputs.shape} are neither (N, F), (N, H, W) nor (N, C, H, W)"
        if targets.shape != (len(inputs),):
            return f"{len(inputs)} inputs, but targets of shape {targets.shape}"
        if 0 in inputs.shape:
            return f"inputs of shape {inputs.shape} hold nothing"
        if targets.min() < 0 or targets.max() >= len(names):
            return f"targets from {targets.min()} to {targets.max()} for {len(names)} classes"
        if len(set(names)) < len(names):
            return f"two classes have the name {next(name for name in names if names.count(name) > 1)}"
        for name, values in self.by_sample.items():
            if values.shape != (len(inputs),):
                return f'{len(inputs)} inputs, but a column "{name}" of shape {values.shape}'
        if not np.isfinite(inputs).all():
            return f"sample {int(np.argwhere(~np.isfinite(inputs))[0, 0])} (from 0) holds NaN or infinity"
        return None


def columns_of(loaded: Samples | Columns) -> Mapping[str, Column]:
    """Samples as columns: labelled ones are `x`, an input, and `y`, its target."""
    if isinstance(loaded, Columns):
        return {name: column.counted() for name, column in loaded.columns.items()}
    targets = Column(loaded.targets, "class", "target", tuple(loaded.class_names))
    return {INPUT: Column(loaded.inputs, "real", "input", loaded.columns), TARGET: targets}


def beside(loaded: Samples | Columns | Table) -> Mapping[str, NDArray[Any]]:
    """What samples may be told apart by, (N,) each: columns that are no inputs, and those of groups and names."""
    if not isinstance(loaded, Columns):
        return loaded.by_sample
    known = {name: column.values for name, column in loaded.columns.items() if column.role in ("group", "id")}
    return known | dict(loaded.by_sample)


def number_classes(labels: Sequence[str] | NDArray[np.generic]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the distinct labels from 0 in the order of classes."""
    texts = [str(label) for label in labels]
    names = in_order(texts)
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions[text] for text in texts], dtype=np.int64), names
