"""Defines a table as its source gives it: columns with gaps and categories, of which nothing is fitted yet.

N: rows, F: columns of numbers and dates, K: columns of categories.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.column_roles import TableColumn
from craftc.components.errors import DataError, DataWarning
from craftc.components.sources.tokenize_cells import TokenizedColumn

Impute = Literal["none", "median", "mean"]
NUMBERS, CATEGORIES = "numbers", "categories"
"""What the inputs of a table are called."""
GAP = -1
"""The number of a category where a cell has none."""


@dataclass(frozen=True)
class Table:
    """Rows of a table. What is learnt of them, the train split decides; see `encode_table`.

    Args:
        numbers: float64 (N, F); NaN where a cell has no value. Of a date, days since 1970-01-01.
        number_names: The names of these columns.
        is_date: Which of them are dates, (F,).
        categories: int64 (N, K), numbers of values; `GAP` where a cell has none.
        category_names: The names of these columns.
        values: The values of each, in the order of their numbers.
        targets: int64 (N,), classes; or float64 (N,), a quantity.
        class_names: Name of each class, in the order of the targets' numbers; nothing of a quantity.
        by_sample: Columns (N,) that are no inputs, by name: groups, ids, dates.
        impute: What stands for a gap among the numbers: the median or the mean of train; none: there is no gap.
        missing_indicator: Whether each column of numbers that has gaps in train gets one more, 1 at a gap.
        min_count: Values of a category, and tokens, that train has less often are taken for unknown ones; at least 1.
        texts: The tokens of each column of text; nothing where a cell has none.
        max_tokens: Of each text, as many are kept, from its beginning on; none: as many as the longest of train has.
        columns: All columns of the file, with their roles, for the user to see.
        warnings: What the user should know of it.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    numbers: NDArray[np.float64]
    number_names: tuple[str, ...]
    is_date: tuple[bool, ...]
    categories: NDArray[np.int64]
    category_names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    targets: NDArray[Any]
    class_names: tuple[str, ...] = ()
    by_sample: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    impute: Impute = "none"
    missing_indicator: bool = False
    min_count: int = 1
    texts: tuple[TokenizedColumn, ...] = ()
    max_tokens: int | None = None
    columns: tuple[TableColumn, ...] = ()
    warnings: tuple[DataWarning, ...] = ()

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise DataError("data-mismatch", f"the table does not fit together: {problem}", "check the data source")

    def _problem(self) -> str | None:
        num_rows, numbers, categories = len(self.targets), self.numbers, self.categories
        if numbers.dtype != np.float64 or categories.dtype != np.int64:
            return f"numbers are {numbers.dtype} and categories {categories.dtype}, not float64 and int64"
        if numbers.shape != (num_rows, len(self.number_names)) or len(self.is_date) != len(self.number_names):
            return f"numbers of shape {numbers.shape} for {num_rows} targets and {len(self.number_names)} names"
        if categories.shape != (num_rows, len(self.category_names)) or len(self.values) != len(self.category_names):
            return f"categories of shape {categories.shape} for {num_rows} targets and {len(self.category_names)} names"
        for text in self.texts:
            if len(text.lengths) != num_rows or text.lengths.sum() != len(text.numbers):
                return f"{len(text.lengths)} texts of {len(text.numbers)} tokens for {num_rows} targets"
        if not num_rows or not (self.number_names or self.category_names or self.texts):
            return "it has no row, or no column that is an input"
        if np.isinf(numbers).any():
            return "infinity is among the numbers"
        for column, values in zip(categories.T, self.values, strict=True):
            if column.min() < GAP or column.max() >= len(values):
                return f"numbers of categories from {column.min()} to {column.max()} for {len(values)} values"
        return None
