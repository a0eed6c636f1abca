"""Defines the tokens that a source of text returns: one long row, checked once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError


@dataclass(frozen=True)
class Tokens:
    """A text as tokens, to be learned by predicting each from those before it.

    The vocabulary is not that of the text but that of its train split, so it is made when the text is split.

    Args:
        numbers: int64, (L,), the tokens in their order, each from 0 to the number of names minus 1.
        names: What each number stands for, such as a character; each name once.
        context_length: Tokens that a model is given at once, at least 1.
        min_count: Tokens that train has less often become one, `unknown`; at least 1.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    numbers: NDArray[np.int64]
    names: tuple[str, ...]
    context_length: int
    min_count: int = 1

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise DataError("data-mismatch", f"the tokens do not fit together: {problem}", "check the data source")

    def _problem(self) -> str | None:
        numbers = self.numbers
        if numbers.dtype != np.int64 or numbers.ndim != 1:
            return f"they are {numbers.dtype} of shape {numbers.shape}, not int64 in one row"
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(self.names)):
            return f"numbers from {numbers.min()} to {numbers.max()} for {len(self.names)} names"
        if len(set(self.names)) < len(self.names):
            return "two of them have one name"
        if self.context_length < 1 or self.min_count < 1:
            return f"a context_length of {self.context_length} and a min_count of {self.min_count}; both are at least 1"
        return None


def characters(text: str, *, context_length: int, min_count: int) -> Tokens:
    """Every character of a text as a token, numbered by code point."""
    points, numbers = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
    names = tuple(chr(point) for point in points.tolist())
    return Tokens(numbers.astype(np.int64), names, context_length, min_count)
