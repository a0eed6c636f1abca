"""Reads samples from a Hugging Face data set on disk, which stays mapped into memory until a column of it is read."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.compiler.data_files.column_roles import Role
from craftc.compiler.data_files.csv_file import header_problems
from craftc.compiler.data_files.labels import odd_names
from craftc.compiler.data_files.table_columns import GUESS_ROWS
from craftc.components.bounds import Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, DataWarning, raise_all, raised
from craftc.components.sources.arrow_columns import (
    arrow_cells,
    arrow_roles,
    check_input,
    labelled_rows,
    texts_of,
)
from craftc.components.sources.exact_numbers import as_floats
from craftc.components.sources.image_channels import Color
from craftc.components.sources.image_folder import MOST_UNREADABLE, HeightAndWidth, noted, read_pictures
from craftc.components.sources.samples import ASKED_NOTHING, Asked, Inputs, Samples, number_classes
from craftc.components.sources.table import Impute, Table
from craftc.components.sources.tokenize_cells import Tokenizer
from craftc.components.sources.typed_table import TableArguments, typed_table


@declares(gives=("images", "table", "text"), gives_targets=("class", "real"))
def hf_dataset(
    asked: Asked = ASKED_NOTHING,
    /,
    *,
    path: Path,
    target: str,
    split: Name = "train",
    input: Literal["none"] | Name = "none",
    size: PositiveInt | HeightAndWidth = 32,
    color: Color = "grey",
    features: Literal["none"] | Annotated[list[str], MinLen(1)] = "none",
    columns: Literal["none", "infer"] | dict[str, Role] = "infer",
    impute: Impute = "none",
    missing_indicator: bool = False,
    min_count: PositiveInt = 1,
    tokenizer: Tokenizer = "words",
    max_tokens: Literal["infer"] | PositiveInt = "infer",
    unlabelled: Literal["refuse", "drop"] = "refuse",
) -> Samples | Table:
    """A data set that Hugging Face's `datasets` wrote with `save_to_disk`: images, arrays or a table.

    One of the hub is written by `load_dataset(NAME, revision=COMMIT).save_to_disk(PATH)`: a trial is known by the
    content of its files, and a name may stand for other content tomorrow. Needs `craftc[hf]`.

    Args:
        path: The folder.
        target: Column of the classes, a ClassLabel, whole numbers or text; or, where columns says number of it, of a
            quantity.
        split: Which split, where the folder holds several; data.splits divides it.
        input: Column of images, or of arrays of one shape; none: a table of all columns of plain values.
        size: Of images, height and width, in pixels, that each is resized to; one number for a square.
        color: Of images, grey gives (N, H, W), rgb gives (N, 3, H, W).
        features: Of a table, columns of the inputs, in this order; none: all that are number, category, date or text.
        columns: Of a table, what columns are: number, category, date (days since the earliest of train), text (tokens,
            and a mask), or no input: group, id, ignore. What is not said is guessed by the first 500 rows; infer: all
            of them; none: all inputs are numbers.
        impute: Of a table, what stands for a gap among numbers and dates, of train: its median or mean; none: a gap is
            an error. A gap among categories is a value of its own.
        missing_indicator: Give each column of numbers that has gaps in train a further one, which is 1 at a gap.
        min_count: Values of a category, and tokens of text, that train has less often are taken for unknown ones.
        tokenizer: What texts are cut into. words: runs of letters and digits, in lower case, and other signs one by
            one; characters: all.
        max_tokens: Of each text, as many tokens are kept, from its beginning on; infer: as many as the longest text of
            train has.
        unlabelled: What is done with a row without a value of the target.

    Raises:
        DataError: No such folder, split or column, or values that are no samples.
    """
    arguments: TableArguments = {
        "target": target,
        "features": features,
        "keep_labels": False,
        "columns": columns,
        "impute": impute,
        "missing_indicator": missing_indicator,
        "missing": "none",
        "min_count": min_count,
        "tokenizer": tokenizer,
        "max_tokens": max_tokens,
        "day_first": "infer",
        "unlabelled": unlabelled,
        "split_columns": asked.columns,
    }
    found = _load(Path(path), split)
    raised(header_problems(list(found.column_names), arguments, path))
    if input == "none":
        return _table(found, arguments, Path(path))
    check_input(input, found.column_names, target, path)
    labels = _texts(found, target)
    rows = labelled_rows(labels, target, drops=unlabelled == "drop")
    values, warnings = _inputs(found if len(rows) == len(labels) else found.select(rows), input, size, color)
    numbers, names = number_classes(labels[rows])
    by_sample = {name: _texts(found, name)[rows] for name in asked.columns}
    odd = raised(odd_names(names, ("data", "source", "target")))
    return Samples(values, numbers, names, warnings=(*warnings, *odd), by_sample=by_sample)


def _texts(found: Any, name: str) -> Any:
    """The cells of a column as texts."""
    return texts_of(_plain(found.select_columns([name]), [name]).column(name))


def _load(path: Path, split: str) -> Any:
    """A split, mapped into memory. Raises DataError."""
    try:
        import datasets
    except ImportError as error:
        message = "hf_dataset needs the package datasets, which is not installed"
        raise DataError("data-unreadable", message, "pip install 'craftc[hf]'", "data.source.kind") from error
    try:
        found: Any = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        message = f"{path} holds no data set: {' '.join(str(error).split())[:200]}"
        hint = "write it with save_to_disk of Hugging Face's datasets"
        raise DataError("data-unreadable", message, hint, "data.source.path") from error
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            message = f'{path} has no split "{split}"'
            raise DataError("data-unreadable", message, f"it has {', '.join(found)}", "data.source.split")
        found = found[split]
    if not len(found):
        raise DataError("data-mismatch", f"{path} has no row", "name another data set", "data.source.path")
    return found


def _plain(found: Any, names: Sequence[str]) -> Any:
    """Columns as an Arrow table, the numbers of a ClassLabel replaced by their names."""
    import datasets
    import pyarrow

    table = found.select_columns(list(names)).with_format("arrow")[:]
    for index, name in enumerate(names):
        feature = found.features[name]
        if isinstance(feature, datasets.ClassLabel):
            numbers = table.column(name).to_pandas().to_numpy(dtype=np.float64, na_value=-1).astype(np.int64)
            # -1 is what `datasets` writes for no label.
            texts = pyarrow.array([None if number < 0 else feature.names[number] for number in numbers])
            table = table.set_column(index, name, texts.cast(pyarrow.string()))
    return table


def _table(found: Any, asked: TableArguments, path: Path) -> Table:
    import datasets

    names = list(found.column_names)
    nested = {n for n in names if not isinstance(found.features[n], datasets.Value | datasets.ClassLabel)}
    first = _plain(found.select(range(min(len(found), GUESS_ROWS))), [name for name in names if name not in nested])
    roles = arrow_roles(first, names, asked, path, nested)
    wanted = [column for column in roles if column.role != "ignore" or column.is_target]
    return typed_table(arrow_cells(_plain(found, [c.name for c in wanted]), wanted, asked), roles, asked, path)


def _inputs(found: Any, input: str, size: int | list[int], color: Color) -> tuple[Inputs, tuple[DataWarning, ...]]:
    """Images or arrays. Those of a fixed length are not copied. Raises DataError."""
    import datasets

    if isinstance(found.features[input], datasets.Image):
        return _images(found.cast_column(input, datasets.Image(decode=False)), input, size, color)
    values: NDArray[Any] = np.asarray(found.with_format("numpy")[:][input])
    if values.dtype.kind not in "buif" or values.ndim not in (2, 3, 4):
        message = f'column "{input}" holds {found.features[input]}, of which no samples can be made'
        hint = "name a column of images, or of numeric arrays of one shape"
        raise DataError("data-mismatch", message, hint, "data.source.input")
    return values if values.dtype in (np.float32, np.float64) else as_floats(values), ()


def _images(found: Any, input: str, size: int | list[int], color: Color) -> tuple[Inputs, tuple[DataWarning, ...]]:
    height, width = (size, size) if isinstance(size, int) else size
    names = [f'sample {number} (from 0), column "{input}"' for number in range(len(found))]
    lacking = [at for at, cell in enumerate(found[input]) if not cell or not (cell["bytes"] or cell["path"])]
    raise_all(
        DataError("data-unreadable", f"{names[at]} has no image", "leave it out", "data.source.input")
        for at in lacking[:MOST_UNREADABLE]
    )
    opened = (BytesIO(cell["bytes"]) if cell["bytes"] else Path(cell["path"]) for cell in found[input])
    pictures = read_pictures(zip(opened, names, strict=True), height, width, color)
    return np.stack([picture.values for picture in pictures]), noted(names, pictures)
