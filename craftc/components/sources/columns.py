"""Defines named columns, the most general form of what a source returns, and checks them once.

N: samples, C: classes or labels, K: categories of a sample, T: tokens or vectors of a sample, F: numbers of a vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, DataWarning
from craftc.components.sources.constant_columns import constant_columns

ColumnKind = Literal["class", "classes", "real", "token", "mask", "vectors", "transcript"]
"""What values are. class: one of several classes; classes: any number of labels at once; real: quantities; token: names
in an order; mask: what counts and what does not; vectors: quantities in an order; transcript: a target of tokens in an
order, which need not be as many as the steps of an input."""
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)
Role = Literal["input", "target", "mask", "weight", "group", "id"]
"""What a column is for: `input`, `mask` and `weight` may be given to a model, `target`, `mask` and `weight` to an
objective or a metric; `group` and `id` say which samples belong together, and are given to nothing."""
ROLES: tuple[Role, ...] = get_args(Role)
MASK, TARGETS_MASK = "mask", "targets_mask"
"""The columns that say what counts of an input, where the rest fills it up, and what of a target."""
COUNTED = "counted targets"
"""The column of a split that is measured, (N, T), with what of its targets is: others are those of another sample too.
No parameter can be called so, so nothing asks for it; nothing is given the others."""
CHARACTERS = "characters"
"""The column of a text whose tokens are no characters, (N, T): how many characters each target is."""
OF_BATCHES: tuple[Role, ...] = ("input", "target", "mask", "weight")
"""The roles of columns that a batch has."""

_TYPES: dict[ColumnKind, tuple[type[np.generic], ...]] = {
    "class": (np.int64,),
    "classes": (np.float32,),
    "real": (np.float32, np.float64),
    "token": (np.int64,),
    "mask": (np.bool_,),
    "vectors": (np.float32, np.float64),
    "transcript": (np.int64,),
}
_NUM_AXES: dict[ColumnKind, int] = {"classes": 2, "token": 2, "vectors": 3, "transcript": 2}
_NUMBERED: tuple[ColumnKind, ...] = ("class", "token", "transcript")
BLANK = 0
"""The number of a transcript that is no token: what a model gives between tokens, and what fills rows up."""


@dataclass(frozen=True)
class Column:
    """A named array of the data, one item for each sample.

    Args:
        values: By kind. class: int64, (N,), of several categories (N, K), of a dense target (N, H, W); classes:
            float32, 0 or 1, (N, C); real: float32 or float64, (N, ...), as exact as the source has them; token: int64,
            (N, T); mask: bool, (N, ...); vectors: float32 or float64, (N, T, F); transcript: int64, (N, L), tokens from
            1, and 0, the blank, behind the last. Of a group or an id anything, (N,).
        kind: What the values are.
        role: What they are for.
        names: Of a class or token, what each number stands for; of a transcript too, the blank first; of classes, the
            labels; of a table (N, F), its columns.
        sizes: Of a class, token or transcript, how many there are; of several categories, how many of each, (K,). Not
            given: as many as there are names, or else one more than the greatest number.
    """

    values: NDArray[Any]
    kind: ColumnKind
    role: Role = "input"
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def with_values(self, values: NDArray[Any]) -> "Column":
        """The same of other samples, or of what was made of them."""
        return replace(self, values=values)

    def counted(self) -> "Column":
        """With its `sizes` where neither they nor names are given: some of the samples alone may lack a class."""
        if self.kind not in _NUMBERED or self.role not in OF_BATCHES or self.names or self.sizes:
            return self
        most = self.values.max(axis=0) if self.is_several else [self.values.max()]
        return replace(self, sizes=tuple(int(number) + 1 for number in most))

    @property
    def is_several(self) -> bool:
        """Whether a sample has several categories, (N, K)."""
        return self.kind == "class" and self.values.ndim == 2

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.values.shape[1:]

    @property
    def num_classes(self) -> int:
        """How many classes, labels or tokens there are; of several categories, the most that one has."""
        if self.kind == "classes":
            return int(self.values.shape[1])
        if self.sizes:
            return max(self.sizes)
        return len(self.names) or int(self.values.max(initial=-1)) + 1

    @property
    def num_outputs(self) -> int:
        """How many numbers a model gives for one prediction of it: logits of classes, labels and tokens, among those of
        a transcript the blank, or as many quantities as a sample has."""
        if self.kind in ("class", "classes", "token", "transcript"):
            return self.num_classes
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Columns:
    """Samples as named columns; a model gets the first input first.

    Args:
        columns: By name; names are those of parameters of Python, since models, objectives and metrics ask for columns
            by the names of their parameters.
        warnings: What the user should know of them.
        by_sample: As of Samples, what groups, orders or assigns them, (N,) each.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    columns: Mapping[str, Column]
    warnings: tuple[DataWarning, ...] = ()
    by_sample: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise DataError("data-mismatch", f"the columns do not fit together: {problem}", "check the data source")
        quantities = [column for column in self.columns.values() if (column.kind, column.role) == ("real", "input")]
        constant = [each for column in quantities for each in constant_columns(column.values, column.names)]
        object.__setattr__(
            self, "warnings", (*self.warnings, *(each for each in constant if each not in self.warnings))
        )

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def named(self, *roles: Role) -> tuple[str, ...]:
        """The names of the columns of these roles, in their order."""
        return tuple(name for name, column in self.columns.items() if column.role in roles)

    def _problem(self) -> str | None:
        if not self.named("input"):
            return "none of them is an input"
        if len({len(column) for column in self.columns.values()}) > 1:
            return "they have " + ", ".join(f"{len(column)} {name}" for name, column in self.columns.items())
        if len(self) == 0:
            return "they hold nothing"
        for name, values in self.by_sample.items():
            if values.shape != (len(self),):
                return f'there are {len(self)} samples, but "{name}" has the shape {values.shape}'
        for name, column in self.columns.items():
            if not name.isidentifier():
                return f'"{name}" cannot be the name of a parameter'
            if (problem := problem_of(column)) is not None:
                return f"{name}: {problem}"
            if column.kind == "transcript" and TARGETS_MASK in self.columns:
                return f"{name}: blanks fill a transcript up, so there is nothing for {TARGETS_MASK} to leave out"
        return None


def problem_of(column: Column) -> str | None:
    """Why values are not of their kind, in words that follow the column's name; None where they are."""
    values, kind = column.values, column.kind
    if kind not in COLUMN_KINDS or column.role not in ROLES:
        return f"{kind} in the role of {column.role}; kinds are {', '.join(COLUMN_KINDS)}, roles {', '.join(ROLES)}"
    if column.role not in OF_BATCHES:
        return None if values.ndim == 1 else f"a {column.role} of shape {values.shape}, not one for each sample"
    if values.dtype.type not in _TYPES[kind]:
        return f"{kind} of {values.dtype}, not {' or '.join(type_.__name__ for type_ in _TYPES[kind])}"
    if values.ndim != _NUM_AXES.get(kind, values.ndim) or 0 in values.shape:
        return f"{kind} of shape {values.shape}"
    if kind == "transcript" and (problem := _no_transcript(column)) is not None:
        return problem
    if kind in _NUMBERED:
        return _out_of_range(column)
    if kind == "classes" and not np.isin(values, (0, 1)).all():
        return "labels that are neither 0 nor 1"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return f"sample {int(np.argwhere(~np.isfinite(values))[0, 0])} (from 0) holds NaN or infinity"
    return None


def _no_transcript(column: Column) -> str | None:
    if column.role != "target":
        return f"a transcript in the role of {column.role}; it is a target"
    is_blank = column.values == BLANK
    between = is_blank[:, :-1] & ~is_blank[:, 1:]
    if between.any():
        sample = int(np.argwhere(between)[0, 0])
        return f"sample {sample} (from 0) has a blank, {BLANK}, before a token; it stands behind the last alone"
    return None


def _out_of_range(column: Column) -> str | None:
    values = column.values
    if len(set(column.names)) < len(column.names):
        return f"two have the name {next(name for name in column.names if column.names.count(name) > 1)}"
    num_categories = values.shape[1] if column.is_several else 1
    if column.sizes and len(column.sizes) not in (1, num_categories):
        return f"{len(column.sizes)} sizes for {num_categories} categories"
    most = np.array(column.sizes or (column.num_classes,))
    if values.min() < 0 or (values >= most).any():
        return f"numbers from {values.min()} to {values.max()}, where there are {int(most.max())}"
    return None
