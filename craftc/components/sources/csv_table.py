"""A CSV file -> samples."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.components.errors import DataError
from craftc.components.sources.labels import number_classes
from craftc.components.sources.samples import Samples


def csv(*, path: Path, target: str, features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none") -> Samples:
    """A table with a header line: one column of class labels, the others numbers.

    Args:
        path: The CSV file, UTF-8, comma separated.
        target: Column of the class labels: whole numbers or text.
        features: Columns of the inputs, in this order; none: all but the target's.

    Raises:
        DataError: No such file or column, or a feature that is no finite number: row and column are named.
    """
    table = _read(Path(path))
    names = [name for name in table.columns if name != target] if features == "none" else features
    for name, argument in [(target, "target"), *((name, "features") for name in names)]:
        if name not in table.columns:
            hint = f"it has {', '.join(table.columns)}; columns are parted by commas"
            raise DataError("data-unreadable", f'{path} has no column "{name}"', hint, f"data.source.{argument}")
    if target in names:
        hint = "leave it out: a model that is shown the answer learns nothing"
        raise DataError(
            "data-mismatch", f'"{target}" is the target and one of the features', hint, "data.source.features"
        )
    if not names or not len(table):
        lack = "no column beside the target" if len(table) else "no row below its header"
        raise DataError("data-mismatch", f"{path} has {lack}", "name another file", "data.source.path")
    inputs = np.stack([_numbers(table, name, path) for name in names], axis=1)
    empty = np.flatnonzero(table[target].str.strip() == "")
    if len(empty):
        raise _cell_error(path, int(empty[0]), target, "", "no label")
    targets, class_names = number_classes([label.strip() for label in table[target]])
    return Samples(inputs, targets, class_names)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8").fillna("")
    except (OSError, ValueError) as error:
        # pandas ends some of its messages with the bytes it stopped at.
        reason = " ".join(str(error).split())
        hint = "every row needs as many cells, parted by commas, as the header has"
        raise DataError(
            "data-unreadable", f"{path} cannot be read as CSV: {reason}", hint, "data.source.path"
        ) from error
    header = [name.strip() for name in table.iloc[0]]
    doubles = sorted({name for name in header if header.count(name) > 1})
    if doubles:
        raise DataError("data-unreadable", f'{path} has two columns "{doubles[0]}"', "rename one", "data.source.path")
    return table.iloc[1:].reset_index(drop=True).set_axis(header, axis=1)


def _numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported as such
        numbers: NDArray[np.float32] = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise _cell_error(path, int(bad[0]), column, table[column][bad[0]], "not a finite number")
    return numbers


def _cell_error(path: Path, row: int, column: str, text: str, problem: str) -> DataError:
    return DataError(
        "data-unreadable",
        f'{path}, row {row + 1} below the header, column "{column}": "{text}" is {problem}',
        "mend the cell, drop the row, or leave the column out of features",
        "data.source.path",
    )
