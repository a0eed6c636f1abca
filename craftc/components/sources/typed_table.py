"""Makes a table of the columns of a file, each read by its role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from craftc.compiler.data_files.cells import is_gap
from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.column_roles import NUMERIC, Role, TableColumn, gap_words, token_names
from craftc.compiler.data_files.labels import label_problems
from craftc.compiler.data_files.table_columns import bad_cell, counted, reading_of
from craftc.compiler.data_files.typed_rows import LABEL_HINT, NO_LABEL, place_of, quantity_problem, role_doubts
from craftc.components.errors import DataError, DataWarning, added_to, raise_all, raised
from craftc.components.sources.exact_numbers import rounded_texts
from craftc.components.sources.samples import TARGET, number_classes
from craftc.components.sources.table import CATEGORIES, GAP, NUMBERS, Impute, Table
from craftc.components.sources.tokenize_cells import TokenizedColumn, Tokenizer, tokenized

_PATH = "data.source.path"


class TableArguments(TypedDict):
    """What a spec writes of a table; see `csv`."""

    target: str
    features: Literal["none"] | Sequence[str]
    keep_labels: bool
    columns: Literal["none", "infer"] | Mapping[str, Role]
    impute: Impute
    missing_indicator: bool
    missing: Literal["none"] | Sequence[str]
    min_count: int
    tokenizer: Tokenizer
    max_tokens: Literal["infer"] | int
    day_first: Literal["infer"] | bool
    unlabelled: Literal["refuse", "drop"]
    split_columns: Sequence[str]


@dataclass(frozen=True)
class Cells:
    """The cells of columns by name: `texts` without blanks around them, or `numbers` float64 (N,), NaN at gaps. `rows`
    are the numbers of the rows in the file, from 0."""

    rows: "pd.Index[Any]"
    texts: Mapping[str, "pd.Series[str]"]
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    warnings: tuple[DataWarning, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


def typed_table(cells: Cells, columns: Sequence[TableColumn], arguments: TableArguments, path: Path) -> Table:
    """The table of the cells of a file.

    Raises DataError `data-unreadable`, `data-mismatch`, and what is wrong with the target.
    """
    errors: list[DataError] = []
    warnings = cells.warnings
    with added_to(errors):
        warnings += raised(role_doubts(columns))
    with added_to(errors):
        targets, class_names, of_target = _targets(cells, next(c for c in columns if c.is_target), arguments)
        warnings += of_target
    inputs = [column for column in columns if not column.is_target]
    numeric = [column for column in inputs if column.role in NUMERIC]
    categories = [column for column in inputs if column.role == "category"]
    texts = [column for column in inputs if column.role == "text"]
    errors += _named_alike([column.name for column in texts])
    features = arguments["features"]
    if features != "none":
        numeric.sort(key=lambda column: list(features).index(column.name))
        categories.sort(key=lambda column: list(features).index(column.name))
        texts.sort(key=lambda column: list(features).index(column.name))
    with added_to(errors):
        numbers, of_numbers = _numbers(cells, numeric, arguments, path)
    raise_all(errors)
    codes, values = _categories(cells, categories, arguments)
    asked = arguments["split_columns"]
    beside = [column for column in inputs if column.role in _KEPT or column.name in asked]
    return Table(
        numbers,
        tuple(column.name for column in numeric),
        tuple(column.role == "date" for column in numeric),
        codes,
        tuple(column.name for column in categories),
        values,
        targets,
        class_names,
        {column.name: _by_sample(cells, column, numeric, numbers) for column in beside},
        arguments["impute"],
        arguments["missing_indicator"],
        arguments["min_count"],
        tuple(_tokenized(cells, column, arguments) for column in texts),
        None if arguments["max_tokens"] == "infer" else arguments["max_tokens"],
        tuple(_counted(cells, column, arguments) for column in columns),
        (*warnings, *of_numbers),
    )


_KEPT = ("group", "id", "date")
"""Roles whose columns splits may be made by."""


def _counted(cells: Cells, column: TableColumn, arguments: TableArguments) -> TableColumn:
    if (numbers := cells.numbers.get(column.name)) is not None:
        known = numbers[~np.isnan(numbers)]
        return column._replace(gaps=len(numbers) - len(known), distinct=len(np.unique(known)))
    texts = cells.texts.get(column.name)
    return column if texts is None else counted(column, texts, {**arguments})


def _by_sample(
    cells: Cells, column: TableColumn, numeric: Sequence[TableColumn], numbers: NDArray[np.float64]
) -> NDArray[Any]:
    if column.role in NUMERIC:
        found: NDArray[Any] = numbers[:, [each.name for each in numeric].index(column.name)]
        return found
    texts: NDArray[Any] = cells.texts[column.name].to_numpy(dtype=str)
    return texts


def _targets(
    cells: Cells, target: TableColumn, arguments: TableArguments
) -> tuple[NDArray[Any], tuple[str, ...], tuple[DataWarning, ...]]:
    place = "data.source.target"
    if not len(cells):
        message = f'no row has a value of the target "{target.name}"'
        raise DataError("data-mismatch", message, "name another target", place)
    if target.role == "number":
        numbers = _read(cells, target, {**arguments, "impute": "none"})
        if numbers.wrong is not None:
            bad = quantity_problem(reading_of(target, (), arguments), numbers.wrong.text, target)
            assert bad is not None
            message = f'row {numbers.wrong.row} below the header, column "{target.name}": {bad.message}'
            raise DataError(bad.code, message, bad.hint or "", place)
        return numbers.values, (), ()
    texts = cells.texts[target.name]
    if (empty := np.flatnonzero((texts == "").to_numpy())).size:
        row = int(texts.index[int(empty[0])]) + 1
        message = f'row {row} below the header, column "{target.name}": {NO_LABEL}'
        raise DataError("label-missing", message, LABEL_HINT, place)
    labels = texts.tolist()
    warnings = raised(label_problems(labels, target.name, keep=arguments["keep_labels"]))
    classes, class_names = number_classes(labels)
    return classes, class_names, warnings


def _numbers(
    cells: Cells, columns: Sequence[TableColumn], arguments: TableArguments, path: Path
) -> tuple[NDArray[np.float64], tuple[DataWarning, ...]]:
    """The columns that are numbers or dates, NaN at gaps. Raises DataError with the first bad cell of each."""
    found, wrong = [], []
    warnings: tuple[DataWarning, ...] = ()
    for column in columns:
        numbers = _read(cells, column, arguments)
        found.append(numbers.values)
        if numbers.wrong is not None:
            wrong.append(numbers.wrong)
        elif column.role == "number" and column.name in cells.texts:
            exact = np.flatnonzero(numbers.is_plain)
            texts = cells.texts[column.name].to_numpy()[exact].tolist()
            warnings += rounded_texts(texts, numbers.values[exact], column.name)
    raise_all(
        DataError("data-unreadable", f"{place_of(path, cell.row, cell.column)}: {cell.message}", cell.hint, _PATH)
        for cell in sorted(wrong)
    )
    return np.stack(found, axis=1) if found else np.empty((len(cells), 0)), warnings


class _Wrong(NamedTuple):
    """A cell that is none of its role: its row in the file, from 1, its column, what is wrong and what to do."""

    row: int
    column: str
    text: str
    message: str
    hint: str


class _Numbers(NamedTuple):
    """A column (N,); `is_plain` where its text is a number as Python writes it; and the first `wrong` cell."""

    values: NDArray[np.float64]
    is_plain: NDArray[np.bool_]
    wrong: _Wrong | None = None


def _read(cells: Cells, column: TableColumn, arguments: TableArguments) -> _Numbers:
    if column.name in cells.numbers:
        values = cells.numbers[column.name]
        kinds = [np.isnan(values), np.isposinf(values), np.isneginf(values)]
        texts = pd.Series(np.select(kinds, ["", "inf", "-inf"], "0"), index=cells.rows)
    else:
        texts = cells.texts[column.name]
        values = np.full(len(texts), np.nan)
        if column.role == "number":
            values = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    more = gap_words(arguments)
    is_plain = np.isfinite(values) & ~texts.isin(more).to_numpy()
    others = texts[~is_plain]
    distinct = dict.fromkeys(others)
    reading = reading_of(column, distinct, arguments)
    bad = {text: b for text in distinct if (b := bad_cell(reading, text, column, arguments["impute"]))}
    if bad:
        index = int(np.flatnonzero(others.isin(list(bad)).to_numpy())[0])
        text = others.iloc[index]
        return _Numbers(values, is_plain, _Wrong(int(others.index[index]) + 1, column.name, text, *bad[text]))
    read = {text: None if is_gap(text, more) else reading.number(text) for text in distinct}
    exact = {text: np.nan if number is None else number for text, number in read.items()}
    values[~is_plain] = others.map(exact).to_numpy(dtype=np.float64)
    return _Numbers(values, is_plain)


def _named_alike(texts: Sequence[str]) -> list[DataError]:
    """Where two inputs would have one name as parameters of a model."""
    seen = {name: name for name in (NUMBERS, CATEGORIES, TARGET)}
    found = []
    for text, names in zip(texts, token_names(texts), strict=True):
        for name in names:
            if name in seen:
                message = f'column "{text}" would be given to a model as {name}, and so would {seen[name]}'
                found.append(DataError("data-mismatch", message, "name one of them otherwise in the file", _PATH))
            seen[name] = f'"{text}"'
    return found


def _tokenized(cells: Cells, column: TableColumn, arguments: TableArguments) -> TokenizedColumn:
    more, texts = gap_words(arguments), cells.texts[column.name]
    return tokenized(column.name, ["" if is_gap(text, more) else text for text in texts], arguments["tokenizer"])


def _categories(
    cells: Cells, columns: Sequence[TableColumn], arguments: TableArguments
) -> tuple[NDArray[np.int64], tuple[tuple[str, ...], ...]]:
    more, found, values = gap_words(arguments), [], []
    for column in columns:
        texts = cells.texts[column.name]
        names = in_order(text for text in texts.unique() if not is_gap(text, more))
        numbers = {name: number for number, name in enumerate(names)}
        found.append(texts.map(numbers).fillna(GAP).to_numpy(dtype=np.int64))
        values.append(names)
    stacked = np.stack(found, axis=1) if found else np.empty((len(cells), 0), dtype=np.int64)
    return stacked, tuple(values)
