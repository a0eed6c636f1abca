"""Encodes a table by what its train split shows: gaps are filled, categories and tokens are numbered.

N: rows, F: columns of numbers, K: columns of categories, H: their values that train has, T: tokens of a text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, raise_all
from craftc.components.sources.table import GAP, Table
from craftc.components.sources.tokenize_cells import TokenizedColumn

UNKNOWN, MISSING = 0, 1
"""The numbers of a value that train does not have, and of no value, in every column of categories."""
NUM_RESERVED = 2
RESERVED_NAMES = ("<unknown>", "<missing>")


PADDING, UNKNOWN_TOKEN, NO_TOKENS = 0, 1, 2
"""The numbers of what fills a row up, of a token that train does not have, and of a cell without any."""
RESERVED_TOKENS = ("<padding>", "<unknown>", "<missing>")


@dataclass(frozen=True)
class EncodedText:
    """A column of text.

    Args:
        name: Its name.
        tokens: int64 (N, T): one of the reserved numbers, or the number of a token that train has.
        mask: bool (N, T), which of them are no padding: one at least in every row.
        names: What the numbers stand for, the reserved ones first.
        num_cut: Texts of which not all tokens are kept.
    """

    name: str
    tokens: NDArray[np.int64]
    mask: NDArray[np.bool_]
    names: tuple[str, ...]
    num_cut: int


@dataclass(frozen=True)
class EncodedTable:
    """All rows of a table, encoded.

    Args:
        numbers: float64 (N, F), without gaps. Of a date, days since the earliest of train.
        number_names: The names of these columns; of an indicator of gaps, that of its column and `<missing>`.
        categories: int64 (N, K): `UNKNOWN`, `MISSING`, or from `NUM_RESERVED` on a value that train has.
        category_names: The names of these columns.
        values: The names of the values of each, in the order of their numbers, the reserved ones first.
        in_train: Which numbers of each occur in train.
        texts: The columns of text.
    """

    numbers: NDArray[np.float64]
    number_names: tuple[str, ...]
    categories: NDArray[np.int64]
    category_names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    in_train: tuple[tuple[int, ...], ...]
    texts: tuple[EncodedText, ...] = ()

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """How many numbers each column of categories may have, the reserved ones included."""
        return tuple(map(len, self.values))


def encode_table(table: Table, train: NDArray[np.integer]) -> EncodedTable:
    """Every row by what is learnt of the rows `train` alone. Raises DataError `data-mismatch`."""
    numbers, number_names = _filled(table, train)
    columns, values, in_train = [], [], []
    for column, names in zip(table.categories.T, table.values, strict=True):
        counts = np.bincount(column[train] + 1, minlength=len(names) + 1)[1:]
        known = np.flatnonzero(counts >= table.min_count)
        renumbered = np.full(len(names) + 1, UNKNOWN, dtype=np.int64)
        renumbered[known] = np.arange(len(known)) + NUM_RESERVED
        renumbered[GAP] = MISSING
        columns.append(renumbered[column])
        values.append((*RESERVED_NAMES, *(names[number] for number in known)))
        in_train.append(tuple(np.unique(columns[-1][train]).tolist()))
    categories = np.stack(columns, axis=1) if columns else np.empty((len(table.targets), 0), dtype=np.int64)
    texts = tuple(_encoded_text(text, train, table.min_count, table.max_tokens) for text in table.texts)
    return EncodedTable(numbers, number_names, categories, table.category_names, tuple(values), tuple(in_train), texts)


def _encoded_text(
    text: TokenizedColumn, train: NDArray[np.integer], min_count: int, max_tokens: int | None
) -> EncodedText:
    ends = np.cumsum(text.lengths)
    rows = [text.numbers[end - length : end] for end, length in zip(ends, text.lengths, strict=True)]
    counts = np.bincount(np.concatenate([rows[index] for index in train]), minlength=len(text.names))
    known = np.flatnonzero(counts >= min_count)
    renumbered = np.full(len(text.names), UNKNOWN_TOKEN, dtype=np.int64)
    renumbered[known] = np.arange(len(known)) + len(RESERVED_TOKENS)
    width = max_tokens or max(int(text.lengths[train].max()), 1)
    tokens = np.full((len(rows), width), PADDING, dtype=np.int64)
    tokens[:, 0] = NO_TOKENS
    for row, numbers in zip(tokens, rows, strict=True):
        row[: len(numbers)] = renumbered[numbers[:width]]
    mask = np.arange(width) < np.maximum(text.lengths, 1)[:, None]
    names = (*RESERVED_TOKENS, *(text.names[number] for number in known))
    return EncodedText(text.name, tokens, mask, names, int((text.lengths > width).sum()))


def one_hot(categories: NDArray[np.int64], in_train: tuple[tuple[int, ...], ...]) -> NDArray[np.float32]:
    """Categories (N, K) -> (N, H): one column of 0 and 1 for each value that occurs in train.

    A value that does not is 0 in all of them: no weight could be learnt of a column that train does not have.
    """
    columns = [index for index, numbers in enumerate(in_train) for _ in numbers]
    wanted = np.array([number for numbers in in_train for number in numbers], dtype=np.int64)
    encoded: NDArray[np.float32] = (categories[:, columns] == wanted).astype(np.float32)
    return encoded


def one_hot_names(table: EncodedTable) -> tuple[str, ...]:
    """The names of the columns of `one_hot`: `maker=ford`."""
    return tuple(
        f"{name}={values[number]}"
        for name, values, numbers in zip(table.category_names, table.values, table.in_train, strict=True)
        for number in numbers
    )


def _filled(table: Table, train: NDArray[np.integer]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The numbers without gaps, dates counted from the earliest of train, and the names of the columns."""
    numbers, names = table.numbers, table.number_names
    if not names:
        return numbers, names
    gaps = np.isnan(numbers)
    raise_all(_unlearnable(table, gaps, train))
    if any(table.is_date):
        earliest = np.where(table.is_date, np.nanmin(numbers[train], axis=0), 0.0)
        numbers = numbers - earliest
    if not gaps.any():
        return numbers, names
    from sklearn.impute import SimpleImputer  # only where there is a gap: it takes a second

    imputer = SimpleImputer(strategy=table.impute, add_indicator=table.missing_indicator).fit(numbers[train])
    filled: NDArray[np.float64] = imputer.transform(numbers)
    indicated = imputer.indicator_.features_ if table.missing_indicator else ()
    return filled, (*names, *(f"{names[int(index)]} {RESERVED_NAMES[MISSING]}" for index in indicated))


def _unlearnable(table: Table, gaps: NDArray[np.bool_], train: NDArray[np.integer]) -> Iterator[DataError]:
    """Columns of which train has no value; and, where nothing stands for a gap, the first gap of the others."""
    without = gaps[train].all(axis=0)
    for index in np.flatnonzero(without):
        message = f'column "{table.number_names[int(index)]}" has no value in train'
        hint = "leave it out: write ignore for it in columns"
        yield DataError("data-mismatch", message, hint, "data.source.columns")
    has_gap = np.flatnonzero(gaps.any(axis=0) & ~without)
    for index in has_gap if table.impute == "none" else ():
        row = int(gaps[:, index].argmax())
        message = f'column "{table.number_names[int(index)]}" has no value in sample {row} (from 0)'
        yield DataError("data-mismatch", message, "write impute: median", "data.source")
