"""Inputs before and after they are normalized -> what the 32 bits that a model is given have lost of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, DataWarning

_MOST_ROWS = 100_000
"""Samples whose values are counted: of more, the first."""
_FEW_VALUES = 256
_CHANCE = 2**25
"""Of n random numbers, about n**2 over this fall together in 32 bits: float32 has 2**23 steps to a factor of 2."""
_PLACE = "data.normalize"
_TINY = 1e-30
"""No normalizer can distinguish values that differ by less."""
_TINY_HINT = "use other units: multiply it by a power of ten"
_HINT = "normalize: per_feature scales each column in 64 bits first; or subtract what all values have in common"


def check_finite(name: str, raw: NDArray[Any], inputs: NDArray[np.float32], columns: Sequence[str]) -> None:
    """Raise where a number of a split is beyond float32 once it is normalized."""
    bad = np.argwhere(~np.isfinite(inputs))
    if len(bad):
        place = tuple(map(int, bad[0]))
        what = _named(place[1], columns) if raw.ndim == 2 else "its inputs"
        value = f"{raw[place]:g}" if raw.shape == inputs.shape else "a number"
        message = f"split {name}: {what} holds {value}, which is beyond the 32 bits that a model is given"
        raise DataError("data-mismatch", message, "use other units, or normalize: per_feature", _PLACE)


def lost_resolution(raw: NDArray[Any], inputs: NDArray[np.float32], columns: Sequence[str]) -> tuple[DataWarning, ...]:
    """What train has lost. Raises DataError `feature-constant` where a column varies and a model would not see it.

    A column of a table is looked at by itself; of images, all numbers together.
    """
    if raw.shape != inputs.shape:  # a normalizer of the user's own makes of them what it likes
        return ()
    before, after = (x if x.ndim == 2 else x.reshape(-1, 1) for x in (raw, inputs))
    varies = before.max(axis=0) > before.min(axis=0)
    kept = after.max(axis=0) > after.min(axis=0)
    lost = np.flatnonzero(varies & ~kept)
    if len(lost):
        first = int(lost[0])
        low, high, constant = before[:, first].min(), before[:, first].max(), after[0, first]
        what = _named(first, columns) if raw.ndim == 2 else "what the source gives"
        message = (
            f"{what} varies from {low:.15g} to {high:.15g}, but is {constant:g} everywhere for the model, "
            f"which is given 32 bits{_others(len(lost) - 1)}"
        )
        raise DataError("feature-constant", message, _TINY_HINT if high - low < _TINY else _HINT, _PLACE)
    return tuple(_rounded(before[:_MOST_ROWS], after[:_MOST_ROWS], columns, is_table=raw.ndim == 2))


def _rounded(
    before: NDArray[Any], after: NDArray[np.float32], columns: Sequence[str], *, is_table: bool
) -> Iterator[DataWarning]:
    found = []
    for index in range(before.shape[1]):
        num_before, num_after = len(np.unique(before[:, index])), len(np.unique(after[:, index]))
        by_chance = 0 if num_before < _FEW_VALUES else 1 + num_before**2 / _CHANCE
        if num_before - num_after > by_chance:
            found.append((index, num_before, num_after))
    if found:
        index, num_before, num_after = found[0]
        what = _named(index, columns) if is_table else "what the source gives"
        message = (
            f"{what} has {num_before:,} different values in train, of which the 32 bits that a model is given leave "
            f"{num_after:,}{_others(len(found) - 1)}"
        )
        yield DataWarning("feature-rounded", message, _HINT, _PLACE)


def _named(index: int, columns: Sequence[str]) -> str:
    return f'column "{columns[index]}"' if columns else f"column {index + 1}"


def _others(count: int) -> str:
    return f"; so it is with {count:,} more column{'' if count == 1 else 's'}" if count else ""
