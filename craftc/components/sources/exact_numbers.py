"""Numbers of any type as float32 or float64, whichever holds them; what even float64 rounds is a warning."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, DataWarning
from craftc.components.sources.samples import Inputs

_EXACT = 2**53
"""float64 holds every whole number up to it."""
_EXACT_DIGITS = 15
"""Of a decimal number, that float64 always keeps."""


def as_floats(values: NDArray[np.generic]) -> Inputs:
    """float32 where that holds every number of the type (up to 16 bits, and float32 itself), else float64."""
    return values.astype(np.result_type(values.dtype, np.float32) if values.dtype.itemsize <= 4 else np.float64)


def rounded_wholes(values: NDArray[np.generic], name: str, place: str) -> tuple[DataWarning, ...]:
    """What float64 does to whole numbers beyond 2**53. Raises DataError where nothing is left of their differences."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not values.size:
        return ()
    if max(int(values.max()), -int(values.min())) <= _EXACT:
        return ()
    kept, before = (len(np.unique(each)) for each in (values.astype(np.float64), values))
    return _told(name, before, kept, place)


def rounded_texts(texts: Sequence[str], numbers: NDArray[np.float64], name: str) -> tuple[DataWarning, ...]:
    """The same of numbers that are written with more digits than float64 keeps."""
    distinct, num_numbers = set(texts), len(np.unique(numbers))
    if len(distinct) <= num_numbers:
        return ()
    long = [text for text in distinct if len(text) > _EXACT_DIGITS]
    before, kept = len({Decimal(text) for text in long}), len({float(text) for text in long})
    num_others = num_numbers - kept
    return _told(f'column "{name}"', before + num_others, kept + num_others, "data.source.path")


def _told(name: str, before: int, kept: int, place: str) -> tuple[DataWarning, ...]:
    if kept == before:
        return ()
    digits = f"more digits than 64 bits hold, about {math.floor(53 * math.log10(2))}"
    left = f"{kept:,} {'is' if kept == 1 else 'are'} left of them"
    message = f"{name} has {before:,} different values, written with {digits}, and {left}"
    hint = "subtract what all of them have in common; or leave it out, if it numbers the samples"
    if kept == 1:
        raise DataError("feature-constant", message, hint, place)
    return (DataWarning("feature-rounded", message, hint, place),)
