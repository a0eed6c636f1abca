"""Reads the columns of an Arrow table by their roles: what a Parquet file or a Hugging Face data set holds."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from craftc.compiler.data_files.column_roles import NUMERIC, TableColumn
from craftc.compiler.data_files.table_columns import columns_of
from craftc.compiler.data_files.typed_rows import is_dropped
from craftc.components.errors import DataError, DataWarning
from craftc.components.sources.exact_numbers import as_floats, rounded_wholes
from craftc.components.sources.typed_table import Cells, TableArguments

_NS_PER_DAY = 86_400 * 10**9


def arrow_roles(
    first: Any, names: Sequence[str], asked: TableArguments, path: Path, nested: Collection[str]
) -> list[TableColumn]:
    """As of a CSV file, by the texts of the `first` rows; `nested` columns of lists and the like are no inputs.

    Raises DataError.
    """
    said = asked["columns"]
    for name in nested:
        if name == asked["target"] or (isinstance(said, dict) and said.get(name, "ignore") != "ignore"):
            message = f'column "{name}" of {path} does not hold one value in each row'
            raise DataError("data-unreadable", message, "name columns of plain values", "data.source.columns")
    plain = [name for name in names if name not in nested]
    columns = columns_of(plain, [texts_of(first.column(name)).tolist() for name in plain], {**asked})
    return columns + [TableColumn(name, "ignore", True) for name in names if name in nested]


def arrow_cells(table: Any, columns: Sequence[TableColumn], asked: TableArguments) -> Cells:
    rows = np.arange(table.num_rows)
    if asked["unlabelled"] == "drop":
        labels = texts_of(table.column(asked["target"]))
        rows = np.flatnonzero([not is_dropped(label, {**asked}) for label in labels])
        table = table.take(rows)
    index = pd.Index(rows)
    texts, numbers = {}, {}
    warnings: tuple[DataWarning, ...] = ()
    for column in columns:
        values = table.column(column.name)
        if column.role in NUMERIC and (known := _numbers(values)) is not None:
            numbers[column.name] = known
            warnings += rounded_wholes(values.drop_null().to_numpy(), f'column "{column.name}"', "data.source.path")
        else:
            texts[column.name] = pd.Series(texts_of(values), index=index)
    return Cells(index, texts, numbers, warnings)


def _numbers(values: Any) -> NDArray[np.float64] | None:
    """What is stored as numbers or times, NaN for nothing; of times, days since 1970-01-01. None of texts."""
    import pyarrow

    kind = values.type
    if pyarrow.types.is_date(kind) or pyarrow.types.is_timestamp(kind):
        stamps = values.cast(pyarrow.timestamp("ns", getattr(kind, "tz", None)))
        wholes = stamps.cast(pyarrow.int64())
        days: NDArray[np.float64] = wholes.to_pandas().to_numpy(dtype=np.float64, na_value=np.nan) / _NS_PER_DAY
        return days
    is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind)
    if not is_number and not pyarrow.types.is_boolean(kind):
        return None
    if pyarrow.types.is_boolean(kind):
        values = values.cast(pyarrow.int8())
    numbers: NDArray[np.float64] = (
        values.cast(pyarrow.float64(), safe=False).to_pandas().to_numpy(np.float64, copy=True)
    )
    return numbers


def texts_of(values: Any) -> NDArray[Any]:
    """Every cell as a CSV file has it; empty for nothing."""
    import pyarrow

    kind = values.type
    if pyarrow.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_floating(kind):
        numbers = values.to_pandas().to_numpy(dtype=np.float64)
        return np.array(["" if np.isnan(number) else repr(number) for number in numbers.tolist()], dtype=object)
    texts: NDArray[Any] = values.cast(pyarrow.string()).fill_null("").to_pandas().str.strip().to_numpy(dtype=object)
    return texts


def check_input(name: str, there: Sequence[str], target: str, path: Path) -> None:
    """Raise DataError where there is no such column beside the target."""
    if name not in there or name == target:
        message = f'{path} has no column "{name}" beside the target'
        raise DataError("data-unreadable", message, f"it has {', '.join(there)}", "data.source.input")


def labelled_rows(labels: NDArray[Any], target: str, *, drops: bool) -> NDArray[np.int64]:
    """The rows that are samples: all, or those with a label (N,). Raises DataError."""
    rows = np.flatnonzero(labels != "") if drops else np.arange(len(labels))
    place = "data.source.target"
    if (labels[rows] == "").any():
        message = f'sample {int(np.flatnonzero(labels == "")[0])} (from 0) has no label in column "{target}"'
        raise DataError("label-missing", message, "fill it in, drop the row, or write unlabelled: drop", place)
    if not len(rows):
        message = f'no row has a value of the target "{target}"'
        raise DataError("data-mismatch", message, "name another target", place)
    return rows


def arrays_in(values: Any, name: str) -> NDArray[Any]:
    """A column of lists, or of lists of lists, of numbers as one array (N, ...). Raises DataError where they are no
    arrays of one shape."""
    import pyarrow
    import pyarrow.compute

    stored, shape, kind = values.combine_chunks(), [len(values)], values.type
    while pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        lengths = pyarrow.compute.unique(pyarrow.compute.list_value_length(stored)).to_pylist()
        if len(lengths) != 1 or not lengths[0]:
            found = ", ".join("nothing" if length is None else str(length) for length in sorted(lengths, key=str)[:3])
            message = f'column "{name}" holds arrays of {len(lengths)} lengths: {found}'
            raise DataError("data-mismatch", message, "samples are arrays of one shape", "data.source.input")
        shape.append(int(lengths[0]))
        stored, kind = stored.flatten(), kind.value_type
    is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)
    if len(shape) == 1 or len(shape) > 4 or not is_number or stored.null_count:
        message = f'column "{name}" holds {values.type}, of which no samples can be made'
        message += f": {stored.null_count:,} numbers are missing" if is_number and stored.null_count else ""
        raise DataError("data-mismatch", message, "name a column of numeric arrays of one shape", "data.source.input")
    numbers: NDArray[Any] = stored.to_numpy(zero_copy_only=False).reshape(shape)
    return numbers if numbers.dtype in (np.float32, np.float64) else as_floats(numbers)
