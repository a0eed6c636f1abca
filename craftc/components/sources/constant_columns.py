"""Finds the columns of a source that have the same number in every sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataWarning

_MOST_NAMED = 5


def constant_columns(inputs: NDArray[Any], columns: Sequence[str]) -> tuple[DataWarning, ...]:
    """A warning where columns of a table (N, F) are constant, or all numbers of images are one. Of one sample, nothing
    can be said."""
    if len(inputs) < 2 or 0 in inputs.shape:
        return ()
    if inputs.ndim != 2:
        first = inputs.flat[0]
        message = f"every number of all {len(inputs):,} samples is {first:g}"
        return (_warning(message, "check what the source reads"),) if bool((inputs == first).all()) else ()
    found = np.flatnonzero(inputs.max(axis=0) == inputs.min(axis=0))
    if not len(found):
        return ()
    named = [f'"{columns[index]}"' if columns else str(index + 1) for index in found[:_MOST_NAMED]]
    more = f" and {len(found) - len(named):,} more" if len(found) > len(named) else ""
    if len(found) == inputs.shape[1]:
        message = f"all {len(found):,} columns have the same number in every sample: a model learns nothing of them"
        return (_warning(message, "check what the source reads"),)
    is_one = len(found) == 1
    what = f"column {named[0]} has" if is_one else f"{len(found):,} columns have"
    which = f", {inputs[0, found[0]]:g}" if is_one else f": {', '.join(named)}{more}"
    message = f"{what} the same number in every sample{which}"
    return (_warning(message, f"leave {'it' if is_one else 'them'} out: a model learns nothing of what never varies"),)


def _warning(message: str, hint: str) -> DataWarning:
    return DataWarning("column-constant", message, hint, "data.source")
