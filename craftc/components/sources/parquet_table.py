"""Reads a table from a Parquet file: the columns that are asked for, and no others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.compiler.data_files.csv_file import header_problems
from craftc.compiler.data_files.table_columns import GUESS_ROWS, NUMERIC, TableColumn, columns_of
from craftc.compiler.data_files.typed_rows import is_dropped
from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, DataWarning, raised
from craftc.components.sources.exact_numbers import rounded_wholes
from craftc.components.sources.table import Impute, Table
from craftc.components.sources.typed_table import Cells, Role, TableArguments, typed_table

_NS_PER_DAY = 86_400 * 10**9


@declares(gives=("table",))
def parquet(
    *,
    path: Path,
    target: str,
    features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none",
    keep_labels: bool = False,
    columns: Literal["none", "infer"] | dict[str, Role] = "infer",
    impute: Impute = "none",
    missing_indicator: bool = False,
    missing: Literal["none"] | list[str] = "none",
    min_count: PositiveInt = 1,
    day_first: Literal["infer"] | bool = "infer",
    unlabelled: Literal["refuse", "drop"] = "refuse",
) -> Table:
    """A table of a Parquet file: one column is the target, the others what columns says, or what they look to be.

    Columns that are no input are not read. What the file stores as numbers or booleans may be a number or a category;
    texts are read as those of a CSV file.

    Args:
        path: The Parquet file.
        target: Column of the class labels: whole numbers or text; or, where columns says number of it, of a quantity.
        features: Columns of the inputs, in this order; none: all that are number, category or date.
        keep_labels: Take labels for classes that are refused otherwise: NA, ? and other words for a missing value, and
            more than two spellings of true and false.
        columns: What columns are: number, category, date (days since the earliest of train), or no input: group, id,
            ignore. What is not said is guessed by the first 500 rows; infer: all of them; none: all inputs are numbers.
        impute: What stands for a gap among numbers and dates, of train: its median or mean; none: a gap is an error. A
            gap among categories is a value of its own.
        missing_indicator: Give each column of numbers that has gaps in train a further one, which is 1 at a gap.
        missing: Texts that stand for a gap, beside empty cells, NA, ? and the like.
        min_count: Values of a category that train has less often are taken for unknown ones.
        day_first: Whether the first number of dates such as 3/4/2021 is the day; infer: by those that show it.
        unlabelled: What is done with a row without a value of the target.

    Raises:
        DataError: No such file or column, or a cell that is not what its column is: row and column are named.
    """
    asked: TableArguments = {
        "target": target,
        "features": features,
        "keep_labels": keep_labels,
        "columns": columns,
        "impute": impute,
        "missing_indicator": missing_indicator,
        "missing": missing,
        "min_count": min_count,
        "day_first": day_first,
        "unlabelled": unlabelled,
    }
    file = _open(Path(path))
    names = list(file.schema_arrow.names)
    raised(header_problems(names, asked, path))
    roles = _roles(file, names, asked, Path(path))
    wanted = [column for column in roles if column.role != "ignore" or column.is_target]
    table = file.read(columns=[column.name for column in wanted])
    return typed_table(_cells(table, wanted, asked), roles, asked, Path(path))


def _open(path: Path) -> Any:
    """The file, of which nothing but its end is read yet. Raises DataError."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, memory_map=True)
    except OSError as error:
        hint = "name the file in it" if path.is_dir() else "check the path"
        message = f"{path} cannot be read: {'it is a folder' if path.is_dir() else error.strerror or error}"
        raise DataError("data-unreadable", message, hint, "data.source.path") from error
    except pyarrow.ArrowException as error:
        message = f"{path} is no Parquet file: {' '.join(str(error).split())[:200]}"
        raise DataError("data-unreadable", message, "for a CSV file write kind: csv", "data.source.path") from error


def _roles(file: Any, names: Sequence[str], asked: TableArguments, path: Path) -> list[TableColumn]:
    """As of a CSV file, by the texts of the first rows; columns of lists and the like are no inputs."""
    import pyarrow

    nested = {field.name for field in file.schema_arrow if pyarrow.types.is_nested(field.type)}
    said = asked["columns"]
    for name in nested:
        if name == asked["target"] or (isinstance(said, dict) and said.get(name, "ignore") != "ignore"):
            message = f'column "{name}" of {path} holds {file.schema_arrow.field(name).type}, not one value in each row'
            raise DataError("data-unreadable", message, "write columns of plain values", "data.source.columns")
    plain = [name for name in names if name not in nested]
    batch = next(file.iter_batches(batch_size=GUESS_ROWS, columns=plain), None)
    if batch is None or not batch.num_rows:
        raise DataError("data-mismatch", f"{path} has no row", "name another file", "data.source.path")
    first = {name: _texts(batch.column(name)).tolist() for name in plain}
    columns = columns_of(plain, [first[name] for name in plain], {**asked})
    return columns + [TableColumn(name, "ignore", True) for name in names if name in nested]


def _cells(table: Any, columns: Sequence[TableColumn], asked: TableArguments) -> Cells:
    rows = np.arange(table.num_rows)
    if asked["unlabelled"] == "drop":
        labels = _texts(table.column(asked["target"]))
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
            texts[column.name] = pd.Series(_texts(values), index=index)
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


def _texts(values: Any) -> NDArray[Any]:
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
