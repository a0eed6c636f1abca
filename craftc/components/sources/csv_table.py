"""Reads samples from a CSV file."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.compiler.data_files.column_roles import Role, is_typed
from craftc.compiler.data_files.csv_file import cell_hint, first_rows, header_problems, shape_problems
from craftc.compiler.data_files.delimited import Separator, separator_of, unreadable_hint, with_header
from craftc.compiler.data_files.labels import label_problems
from craftc.compiler.data_files.table_columns import GUESS_ROWS, columns_of
from craftc.compiler.data_files.typed_rows import cells_of, is_dropped, place_of
from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, DataWarning, added_to, not_utf8, raise_all, raised
from craftc.components.sources.exact_numbers import rounded_texts
from craftc.components.sources.samples import ASKED_NOTHING, Asked, Samples, number_classes
from craftc.components.sources.table import Impute, Table
from craftc.components.sources.tokenize_cells import Tokenizer
from craftc.components.sources.typed_table import Cells, TableArguments, typed_table

_FIRST_ROWS = 40
"""By which it is seen whether the row before them is one of them."""


@declares(gives=("table", "text"), gives_targets=("class", "real"))
def csv(
    asked: Asked = ASKED_NOTHING,
    /,
    *,
    path: Path,
    target: str,
    features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none",
    keep_labels: bool = False,
    separator: Separator = "comma",
    header: bool = True,
    columns: Literal["none", "infer"] | dict[str, Role] = "none",
    impute: Impute = "none",
    missing_indicator: bool = False,
    missing: Literal["none"] | list[str] = "none",
    min_count: PositiveInt = 1,
    tokenizer: Tokenizer = "words",
    max_tokens: Literal["infer"] | PositiveInt = "infer",
    day_first: Literal["infer"] | bool = "infer",
    unlabelled: Literal["refuse", "drop"] = "refuse",
) -> Samples | Table:
    """A table with a header line, or without: one column is the target, the others numbers, which keep 64 bits, or as
    columns says.

    Classes are numbered in the order of their labels: whole numbers by value, then as text; others as text.

    Args:
        path: The CSV file, UTF-8.
        target: Column of the class labels: whole numbers or text; or, where columns says number of it, of a quantity.
        features: Columns of the inputs, in this order; none: all but the target's and those that data.splits names.
            Each needs a name.
        keep_labels: Take labels for classes that are refused otherwise: NA, ? and other words for a missing value, and
            more than two spellings of true and false.
        separator: What separates columns.
        header: Whether the first row names the columns; of false they are called column_1, column_2 and so on.
        columns: What columns are: number, category, date (days since the earliest of train), text (tokens, and a mask),
            or no input: group, id, ignore. What is not said is guessed by the first 500 rows; infer: all of them; none:
            all inputs are numbers.
        impute: What stands for a gap among numbers and dates, of train: its median or mean; none: a gap is an error. A
            gap among categories is a value of its own.
        missing_indicator: Give each column of numbers that has gaps in train a further one, which is 1 at a gap.
        missing: Texts that stand for a gap, beside empty cells, NA, ? and the like.
        min_count: Values of a category, and tokens of text, that train has less often are taken for unknown ones.
        tokenizer: What texts are cut into. words: runs of letters and digits, in lower case, and other signs one by
            one; characters: all.
        max_tokens: Of each text, as many tokens are kept, from its beginning on; infer: as many as the longest text of
            train has.
        day_first: Whether the first number of dates such as 3/4/2021 is the day; infer: by those that show it.
        unlabelled: What is done with a row without a value of the target.

    Raises:
        DataError: No such file or column, a column without a name among the inputs, two of one name, or a cell that is
            not what its column is: row and column are named.
    """
    asked_of_table: TableArguments = {
        "target": target,
        "features": features,
        "keep_labels": keep_labels,
        "columns": columns,
        "impute": impute,
        "missing_indicator": missing_indicator,
        "missing": missing,
        "min_count": min_count,
        "tokenizer": tokenizer,
        "max_tokens": max_tokens,
        "day_first": day_first,
        "unlabelled": unlabelled,
        "split_columns": asked.columns,
    }
    arguments = {**asked_of_table, "separator": separator, "header": header}
    table = _read(Path(path), arguments)
    aside = (target, *asked.columns)
    names = [name for name in table.columns if name not in aside] if features == "none" else list(features)
    first = table.head(_FIRST_ROWS).to_numpy().tolist()
    errors, warnings = shape_problems(list(table.columns), first, arguments, str(path))
    wrong: list[DataError] = []
    with added_to(wrong):
        raised([*errors, *header_problems(list(table.columns), arguments, path)])
    wrong += () if features == "none" else _wrong_features(names, target)
    if not len(table):
        message = f"{path} has no row below its header"
        wrong.append(DataError("data-mismatch", message, "name another file", "data.source.path"))
    raise_all(wrong)
    noticed = raised(warnings)
    if unlabelled == "drop":
        table = _labelled(table, asked_of_table)
    if is_typed(arguments):
        typed = _typed(table, asked_of_table, first_rows(Path(path), arguments), Path(path))
        return replace(typed, warnings=(*noticed, *typed.warnings))
    return _all_numbers(table, names, asked_of_table, Path(path), noticed)


def _labelled(table: pd.DataFrame, asked: TableArguments) -> pd.DataFrame:
    """The rows with a value of the target."""
    target = asked["target"]
    found = table[[not is_dropped(text.strip(), asked) for text in table[target]]]
    if not len(found):
        message = f'no row has a value of the target "{target}"'
        raise DataError("data-mismatch", message, "name another target", "data.source.target")
    return found


def _typed(table: pd.DataFrame, asked: TableArguments, first: list[list[str]], path: Path) -> Table:
    names = list(table.columns)
    first = first or table.head(GUESS_ROWS).to_numpy().tolist()
    roles = columns_of(names, cells_of(first, len(names)), asked)
    texts = {column.name: table[column.name].str.strip() for column in roles if column.role != "ignore"}
    return typed_table(Cells(table.index, texts), roles, asked, path)


def _all_numbers(
    table: pd.DataFrame, names: list[str], asked: TableArguments, path: Path, warnings: tuple[DataWarning, ...]
) -> Samples:
    target, labels = asked["target"], table[asked["target"]].str.strip()
    errors: list[DataError] = []
    with added_to(errors):
        inputs, rounded = _numbers(table[names], path)
    with added_to(errors):
        _check_cells((labels != "").to_numpy()[:, None], table[[target]], path, "no label")
        odd = raised(label_problems(list(labels), target, keep=asked["keep_labels"]))
    raise_all(errors)
    targets, class_names = number_classes(list(labels))
    by_sample = {name: table[name].str.strip().to_numpy(dtype=str) for name in asked["split_columns"]}
    return Samples(inputs, targets, class_names, tuple(names), (*warnings, *rounded, *odd), by_sample)


def _wrong_features(names: list[str], target: str) -> Iterator[DataError]:
    place = "data.source.features"
    if target in names:
        hint = "leave it out: a model that is shown the answer learns nothing"
        yield DataError("data-mismatch", f'"{target}" is the target and one of the features', hint, place)
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        yield DataError("duplicate-feature", f'"{name}" is twice among the features', "remove one", place)


def _read(path: Path, arguments: Mapping[str, Any]) -> pd.DataFrame:
    """Every cell as text; empty where a row ends before it."""
    try:
        table = pd.read_csv(
            path, header=None, dtype=str, keep_default_na=False, encoding="utf-8", sep=separator_of(arguments)
        ).fillna("")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    except pd.errors.EmptyDataError as error:
        hint = "the first line names the columns, each further one is a sample"
        raise DataError("data-unreadable", f"{path} is empty", hint, "data.source.path") from error
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise DataError("data-unreadable", message, "check the path", "data.source.path") from error
    except ValueError as error:
        # pandas ends some of its messages with the bytes it stopped at.
        reason = " ".join(str(error).split())
        message = f"{path} cannot be read as CSV: {reason}"
        raise DataError("data-unreadable", message, unreadable_hint(arguments), "data.source.path") from error
    first = table.iloc[0].tolist()
    names = [name.strip() for name in with_header([first], arguments)[0]]
    body = table.iloc[1:] if arguments["header"] else table
    return body.reset_index(drop=True).set_axis(names, axis=1)


def _numbers(columns: pd.DataFrame, path: Path) -> tuple[NDArray[np.float64], tuple[DataWarning, ...]]:
    numbers: NDArray[np.float64] = np.stack(
        [pd.to_numeric(columns[name].str.strip(), errors="coerce").to_numpy(dtype=np.float64) for name in columns],
        axis=1,
    )
    _check_cells(np.isfinite(numbers), columns, path, "not a finite number")
    warnings: tuple[DataWarning, ...] = ()
    for name, values in zip(columns, numbers.T, strict=True):
        warnings += rounded_texts(columns[name].tolist(), values, name)
    return numbers, warnings


def _check_cells(good: NDArray[np.bool_], columns: pd.DataFrame, path: Path, problem: str) -> None:
    """Raise at the first cell, row by row, that is not good."""
    bad = np.argwhere(~good)
    if not len(bad):
        return
    row, column = map(int, bad[0])
    text = str(columns.iat[row, column])
    what = f'"{text}" is {problem}' if text.strip() else f"{problem}, as it is empty or its row ends before it"
    name = str(columns.columns[column])
    place = place_of(path, int(columns.index[row]) + 1, name)
    more = len(bad) - 1
    others = f"; so {'is' if more == 1 else 'are'} {more:,} more cell{'' if more == 1 else 's'}" if more else ""
    hint = cell_hint(name, text.strip(), is_label=problem == "no label")
    raise DataError("data-unreadable", f"{place}: {what}{others}", hint, "data.source.path")
