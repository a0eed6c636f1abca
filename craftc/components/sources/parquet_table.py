"""Reads a table from a Parquet file: the columns that are asked for, and no others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from craftc.compiler.data_files.column_roles import Role
from craftc.compiler.data_files.csv_file import header_problems
from craftc.compiler.data_files.labels import odd_names
from craftc.compiler.data_files.table_columns import GUESS_ROWS
from craftc.components.bounds import Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, raised
from craftc.components.sources.arrow_columns import (
    arrays_in,
    arrow_cells,
    arrow_roles,
    check_input,
    labelled_rows,
    texts_of,
)
from craftc.components.sources.samples import ASKED_NOTHING, Asked, Samples, number_classes
from craftc.components.sources.table import Impute, Table
from craftc.components.sources.tokenize_cells import Tokenizer
from craftc.components.sources.typed_table import TableArguments, typed_table


@declares(gives=("images", "table", "text"), gives_targets=("class", "real"))
def parquet(
    asked: Asked = ASKED_NOTHING,
    /,
    *,
    path: Path,
    target: str,
    input: Literal["none"] | Name = "none",
    features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none",
    keep_labels: bool = False,
    columns: Literal["none", "infer"] | dict[str, Role] = "infer",
    impute: Impute = "none",
    missing_indicator: bool = False,
    missing: Literal["none"] | list[str] = "none",
    min_count: PositiveInt = 1,
    tokenizer: Tokenizer = "words",
    max_tokens: Literal["infer"] | PositiveInt = "infer",
    day_first: Literal["infer"] | bool = "infer",
    unlabelled: Literal["refuse", "drop"] = "refuse",
) -> Samples | Table:
    """A table of a Parquet file: one column is the target, the others what columns says, or what they look to be; or
    the arrays of one column.

    Columns that are no input are not read. What the file stores as numbers or booleans may be a number or a category;
    texts are read as those of a CSV file.

    Args:
        path: The Parquet file.
        target: Column of the class labels: whole numbers or text; or, where columns says number of it, of a quantity.
        input: Column of arrays of one shape, lists of numbers or lists of those, which are the samples: (N, F),
            (N, H, W) or (N, C, H, W). Targets are classes then. none: a table.
        features: Of a table, columns of the inputs, in this order; none: all that are number, category, date or text.
        keep_labels: Take labels for classes that are refused otherwise: NA, ? and other words for a missing value, and
            more than two spellings of true and false.
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
        DataError: No such file or column, or a cell that is not what its column is: row and column are named.
    """
    arguments: TableArguments = {
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
    import pyarrow

    file = _open(Path(path))
    names = list(file.schema_arrow.names)
    raised(header_problems(names, arguments, path))
    nested = {field.name for field in file.schema_arrow if pyarrow.types.is_nested(field.type)}
    first = next(file.iter_batches(batch_size=GUESS_ROWS, columns=[n for n in names if n not in nested]), None)
    if first is None or not first.num_rows:
        raise DataError("data-mismatch", f"{path} has no row", "name another file", "data.source.path")
    if input != "none":
        return _arrays(file, input, target, drops=unlabelled == "drop", beside=asked.columns, path=Path(path))
    roles = arrow_roles(first, names, arguments, Path(path), nested)
    wanted = [column for column in roles if column.role != "ignore" or column.is_target]
    table = file.read(columns=[column.name for column in wanted])
    return typed_table(arrow_cells(table, wanted, arguments), roles, arguments, Path(path))


def _arrays(file: Any, name: str, target: str, *, drops: bool, beside: Sequence[str], path: Path) -> Samples:
    """Samples of the arrays of a column. Raises DataError."""
    check_input(name, file.schema_arrow.names, target, path)
    table = file.read(columns=[name, target, *beside])
    labels = texts_of(table.column(target))
    rows = labelled_rows(labels, target, drops=drops)
    table = table if len(rows) == len(labels) else table.take(rows)
    numbers, names = number_classes(labels[rows])
    by_sample = {each: texts_of(table.column(each)).astype(str) for each in beside}
    odd = raised(odd_names(names, ("data", "source", "target")))
    return Samples(arrays_in(table.column(name), name), numbers, names, warnings=odd, by_sample=by_sample)


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
