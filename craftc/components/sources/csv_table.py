"""Reads samples from a CSV file."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.components.declare import declares
from craftc.components.errors import DataError, not_utf8
from craftc.components.sources.samples import Samples, number_classes
from craftc.secret_files import may_be_secret
from craftc.secret_text import masked

_UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""What pandas names a column that has no name, and writes as its name, included."""


@declares(gives=("table",))
def csv(*, path: Path, target: str, features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none") -> Samples:
    """A table with a header line: one column of class labels, the others numbers.

    Args:
        path: The CSV file, UTF-8, comma separated.
        target: Column of the class labels: whole numbers or text.
        features: Columns of the inputs, in this order; none: all but the target's, each of which needs a name.

    Raises:
        DataError: No such file or column, a column without a name among the inputs, two of one name, or a feature that
            is no finite number: row and column are named.
    """
    table = _read(Path(path))
    names = [name for name in table.columns if name != target] if features == "none" else features
    if features == "none":
        _check_named(table, path)
    for name, argument in [(target, "target"), *((name, "features") for name in names)]:
        if not name or name not in table.columns:
            hint = f"{_columns(Path(path), table.columns)}; columns are parted by commas"
            raise DataError("data-unreadable", f'{path} has no column "{name}"', hint, f"data.source.{argument}")
    if target in names:
        hint = "leave it out: a model that is shown the answer learns nothing"
        raise DataError(
            "data-mismatch", f'"{target}" is the target and one of the features', hint, "data.source.features"
        )
    if not names or not len(table):
        lack = "no column beside the target" if len(table) else "no row below its header"
        raise DataError("data-mismatch", f"{path} has {lack}", "name another file", "data.source.path")
    inputs = _numbers(table[names], path)
    labels = table[target].str.strip()
    _check_cells((labels != "").to_numpy()[:, None], table[[target]], path, "no label")
    targets, class_names = number_classes(list(labels))
    return Samples(inputs, targets, class_names)


def _columns(path: Path, names: Iterable[str]) -> str:
    """What columns a file has. One of a single column, or that may hold secrets, may be no table, and is not shown."""
    found = [name for name in names if name]
    if len(found) < 2 or may_be_secret(path.name, is_folder=False):
        return f"it has {len(found)} {'column' if len(found) == 1 else 'columns'}"
    return f"it has {masked(', '.join(found))}"


def _read(path: Path) -> pd.DataFrame:
    """Every cell as text; empty where a row ends before it."""
    try:
        table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8").fillna("")
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
        hint = "every row needs as many cells, parted by commas, as the header has"
        raise DataError(
            "data-unreadable", f"{path} cannot be read as CSV: {reason}", hint, "data.source.path"
        ) from error
    header = [name.strip() for name in table.iloc[0]]
    doubles = sorted({name for name in header if name and header.count(name) > 1})
    if doubles:
        raise DataError("data-unreadable", f'{path} has two columns "{doubles[0]}"', "rename one", "data.source.path")
    return table.iloc[1:].reset_index(drop=True).set_axis(header, axis=1)


def _check_named(table: pd.DataFrame, path: Path) -> None:
    """Raise where a column has no name: mostly it numbers the rows, which reveals the answer where they are sorted."""
    for index, name in enumerate(table.columns):
        if _UNNAMED.fullmatch(name):
            which = f"column {index + 1} of {len(table.columns)}" + (f', "{name}",' if name else "")
            message = f"{path}: {which} has no name: it may number the rows, which is no feature"
            hint = "write the file without it, in pandas by to_csv(path, index=False), or name the column"
            raise DataError("data-unreadable", message, hint, "data.source.path")


def _numbers(columns: pd.DataFrame, path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported as such
        numbers: NDArray[np.float32] = np.stack(
            [pd.to_numeric(columns[name], errors="coerce").to_numpy(dtype=np.float32) for name in columns], axis=1
        )
    _check_cells(np.isfinite(numbers), columns, path, "not a finite number")
    return numbers


def _check_cells(good: NDArray[np.bool_], columns: pd.DataFrame, path: Path, problem: str) -> None:
    """Raise at the first cell, row by row, that is not good."""
    bad = np.argwhere(~good)
    if not len(bad):
        return
    row, column = map(int, bad[0])
    text = str(columns.iat[row, column])
    what = f'"{text}" is {problem}' if text.strip() else f"{problem}, as it is empty or its row ends before it"
    place = f'{path}, row {row + 1} below the header, column "{columns.columns[column]}"'
    more = len(bad) - 1
    others = f"; so {'is' if more == 1 else 'are'} {more:,} more cell{'' if more == 1 else 's'}" if more else ""
    hint = "mend the cell, drop the row, or leave the column out of features"
    raise DataError("data-unreadable", f"{place}: {what}{others}", hint, "data.source.path")
