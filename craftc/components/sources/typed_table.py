"""Makes a table of the columns of a file, each read by its role."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from craftc.compiler.data_files.cells import is_gap
from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.labels import label_problems
from craftc.compiler.data_files.table_columns import NUMERIC, TableColumn, bad_cell, gap_words, reading_of
from craftc.compiler.data_files.typed_rows import place_of, quantity_problem, role_doubts
from craftc.components.errors import DataError, DataWarning, raised
from craftc.components.sources.exact_numbers import rounded_texts
from craftc.components.sources.samples import number_classes
from craftc.components.sources.table import GAP, Impute, Table

Role = Literal["number", "category", "date", "group", "id", "ignore"]
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
    day_first: Literal["infer"] | bool
    unlabelled: Literal["refuse", "drop"]


def typed_table(texts: pd.DataFrame, columns: Sequence[TableColumn], arguments: TableArguments, path: Path) -> Table:
    """The table of the cells of a file, as texts without blanks around them, by the index of their rows, from 0.

    Raises DataError `data-unreadable`, `data-mismatch`, and what is wrong with the target.
    """
    warnings = raised(role_doubts(columns))
    targets, class_names, of_target = _targets(texts, next(c for c in columns if c.is_target), arguments)
    warnings += of_target
    inputs = [column for column in columns if not column.is_target]
    numeric = [column for column in inputs if column.role in NUMERIC]
    categories = [column for column in inputs if column.role == "category"]
    features = arguments["features"]
    if features != "none":
        numeric.sort(key=lambda column: list(features).index(column.name))
        categories.sort(key=lambda column: list(features).index(column.name))
    numbers, of_numbers = _numbers(texts, numeric, arguments, path)
    codes, values = _categories(texts, categories, arguments)
    return Table(
        numbers,
        tuple(column.name for column in numeric),
        tuple(column.role == "date" for column in numeric),
        codes,
        tuple(column.name for column in categories),
        values,
        targets,
        class_names,
        {column.name: _by_sample(texts, column, numeric, numbers) for column in inputs if column.role in _KEPT},
        arguments["impute"],
        arguments["missing_indicator"],
        arguments["min_count"],
        (*warnings, *of_numbers),
    )


_KEPT = ("group", "id", "date")
"""Roles whose columns splits may be made by."""


def _by_sample(
    texts: pd.DataFrame, column: TableColumn, numeric: Sequence[TableColumn], numbers: NDArray[np.float64]
) -> NDArray[Any]:
    if column.role == "date":
        found: NDArray[Any] = numbers[:, [each.name for each in numeric].index(column.name)]
        return found
    cells: NDArray[Any] = texts[column.name].to_numpy(dtype=str)
    return cells


def _targets(
    texts: pd.DataFrame, target: TableColumn, arguments: TableArguments
) -> tuple[NDArray[Any], tuple[str, ...], tuple[DataWarning, ...]]:
    place, cells = "data.source.target", texts[target.name]
    if not len(cells):
        message = f'no row has a value of the target "{target.name}"'
        raise DataError("data-mismatch", message, "name another target", place)
    if target.role == "number":
        distinct = {text: quantity_problem(text, target.name, gap_words(arguments)) for text in dict.fromkeys(cells)}
        for row, text in zip(cells.index, cells, strict=True):
            if bad := distinct[text]:
                message = f'row {int(row) + 1} below the header, column "{target.name}": {bad[0]}'
                raise DataError("label-missing", message, bad[1], place)
        reading = reading_of(target, distinct, arguments)
        return _mapped(cells, {text: reading.number(text) for text in distinct}), (), ()
    if (empty := np.flatnonzero((cells == "").to_numpy())).size:
        row = int(cells.index[int(empty[0])]) + 1
        message = (
            f'row {row} below the header, column "{target.name}": no label, as it is empty or its row ends before it'
        )
        raise DataError("label-missing", message, "fill the cell in, drop the row, or write unlabelled: drop", place)
    labels = cells.tolist()
    warnings = raised(label_problems(labels, target.name, keep=arguments["keep_labels"]))
    numbers, class_names = number_classes(labels)
    return numbers, class_names, warnings


def _numbers(
    texts: pd.DataFrame, columns: Sequence[TableColumn], arguments: TableArguments, path: Path
) -> tuple[NDArray[np.float64], tuple[DataWarning, ...]]:
    """The columns that are numbers or dates, NaN at gaps. Raises DataError at the first cell that is none of them."""
    found, wrong = [], []
    warnings: tuple[DataWarning, ...] = ()
    for column in columns:
        cells = texts[column.name]
        distinct = dict.fromkeys(cells)
        reading = reading_of(column, distinct, arguments)
        if bad := {text: b for text in distinct if (b := bad_cell(reading, text, column, arguments["impute"]))}:
            index = int(np.flatnonzero(cells.isin(list(bad)).to_numpy())[0])
            wrong.append((int(cells.index[index]) + 1, column.name, bad[cells.iloc[index]]))
            continue
        numbers = {text: None if is_gap(text, reading.more_gaps) else reading.number(text) for text in distinct}
        found.append(_mapped(cells, numbers))
        if column.role == "number":
            kept = {text: number for text, number in numbers.items() if number is not None}
            exact = [
                text for text in kept if text.isascii() and "," not in text and " " not in text and "'" not in text
            ]
            warnings += rounded_texts(exact, np.array([kept[text] for text in exact]), column.name)
    if wrong:
        row, name, (what, hint) = min(wrong)
        raise DataError("data-unreadable", f"{place_of(path, row, name)}: {what}", hint, _PATH)
    stacked = np.stack(found, axis=1) if found else np.empty((len(texts), 0))
    return stacked, warnings


def _mapped(cells: "pd.Series[str]", numbers: Mapping[str, float | None]) -> NDArray[np.float64]:
    """The number of each cell; NaN for None."""
    exact = {text: np.nan if number is None else number for text, number in numbers.items()}
    mapped: NDArray[np.float64] = cells.map(exact).to_numpy(dtype=np.float64)
    return mapped


def _categories(
    texts: pd.DataFrame, columns: Sequence[TableColumn], arguments: TableArguments
) -> tuple[NDArray[np.int64], tuple[tuple[str, ...], ...]]:
    found, values = [], []
    for column in columns:
        cells = texts[column.name]
        names = in_order(text for text in cells.unique() if not is_gap(text, gap_words(arguments)))
        numbers = {name: number for number, name in enumerate(names)}
        found.append(np.array([numbers.get(text, GAP) for text in cells], dtype=np.int64))
        values.append(names)
    stacked = np.stack(found, axis=1) if found else np.empty((len(texts), 0), dtype=np.int64)
    return stacked, tuple(values)
