"""Estimates how many rows of a table are equal by chance, so that copies of samples can be told from them.

F: columns, M: rows of train that are looked at, N: rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.splits import Indices
from craftc.schemas.split_roles import FIT

MOST_COLUMNS = 32
"""Of more columns, those of the most values count: rows that are equal in the others too are rarer still."""
MOST_OF_TRAIN = 2_000
MOST_ESTIMATED = 100
"""Rows of other splits whose chance is estimated; of more, as many at equal distances."""
_FEW = 1
"""Added to how often a value stands beside another, so that what was seen once is no rule."""


def equal_by_chance(inputs: Sequence[NDArray[Any]], indices: Mapping[str, Indices]) -> float:
    """How many rows of other splits would have their equal in train if no sample had been copied.

    The chance of a row is that of its values, one column after the other, each given the one before it that foretells
    it best (as in a tree of Chow and Liu, 1968, but of each row by itself). Rows that are equal to it do not count, so
    that copies do not make themselves likely: a value that only they have makes the chance zero.

    Args:
        inputs: What a row holds, (N, F) or (N,) each.
        indices: Split to its rows.
    """
    train = _spread(indices[FIT], MOST_OF_TRAIN)
    others = np.concatenate([chosen for name, chosen in indices.items() if name != FIT])
    looked_at = _spread(others, MOST_ESTIMATED)
    numbers_NF = _numbered(np.concatenate([x.reshape(len(x), -1) for x in inputs], axis=1))
    if not numbers_NF.shape[1]:
        return float(len(others))
    chances = [_chance(numbers_NF[train], row) for row in numbers_NF[looked_at]]
    expected = 1 - np.exp(-len(indices[FIT]) * np.array(chances))
    return float(expected.mean() * len(others))


def _spread(rows: Indices, most: int) -> Indices:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _numbered(values_NF: NDArray[Any]) -> NDArray[np.int64]:
    """The values of each column by number, (N, F): columns of one value left out, those of the most values first."""
    columns = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in values_NF.T]
    columns = sorted((c for c in columns if c.max() > 0), key=lambda column: -int(column.max()))[:MOST_COLUMNS]
    return np.stack(columns, axis=1) if columns else np.empty((len(values_NF), 0), dtype=np.int64)


def _chance(train_MF: NDArray[np.int64], row_F: NDArray[np.int64]) -> float:
    """How probable a row is, by the rows of train that are not equal to it."""
    alike_MF = (train_MF == row_F).astype(np.float32)
    num_columns = alike_MF.shape[1]
    is_equal_M = alike_MF.sum(axis=1) == num_columns
    if num_columns == 1:
        # Every row of that value is equal: all but its copy count.
        return max(0.0, float(is_equal_M.sum()) - 1) / len(train_MF)
    alike_MF = alike_MF[~is_equal_M]
    together_FF = alike_MF.T @ alike_MF
    counts_F = np.diag(together_FF)
    chance_F = counts_F / len(train_MF)
    given_FF = together_FF / (counts_F[:, None] + _FEW)
    best_F = np.array([max(given_FF[:at, at].max(initial=0.0), chance_F[at]) for at in range(num_columns)])
    return float(np.prod(best_F, dtype=np.float64))
