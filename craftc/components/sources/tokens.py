"""Defines the tokens that a source of text returns: one long row, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        stride: Tokens from the beginning of a window to that of the next, from 1 to `context_length`; None: windows do
            not overlap.
        lengths: Where the source gives the splits itself, how many tokens each has, in the order of the row.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    numbers: NDArray[np.int64]
    names: tuple[str, ...]
    context_length: int
    min_count: int = 1
    lengths: Mapping[str, int] = field(default_factory=dict)
    stride: int | None = None

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
        if self.stride is not None and not 1 <= self.stride <= self.context_length:
            return f"a stride of {self.stride}, for windows of {self.context_length}; it is from 1 to as many"
        if self.lengths and sum(self.lengths.values()) != len(numbers):
            return f"splits of {sum(self.lengths.values())} tokens together, of {len(numbers)}"
        return None


def united_tokens(parts: Mapping[str, Tokens]) -> Tokens:
    """The texts of all splits, one after the other. Raises DataError where they are to be cut differently."""
    first = next(iter(parts.values()))
    if len({(part.context_length, part.min_count, part.stride) for part in parts.values()}) > 1:
        message = "its splits have different context_length, min_count or stride"
        raise DataError("source-failed", message, "give all of them the same")
    names = tuple(dict.fromkeys(name for part in parts.values() for name in part.names))
    places = {name: place for place, name in enumerate(names)}
    numbers = [np.array([places[name] for name in part.names], dtype=np.int64)[part.numbers] for part in parts.values()]
    lengths = {split: len(part.numbers) for split, part in parts.items()}
    return Tokens(np.concatenate(numbers), names, first.context_length, first.min_count, lengths, first.stride)


def characters(text: str, *, context_length: int, min_count: int, stride: int | None = None) -> Tokens:
    """Every character of a text as a token, numbered by code point."""
    points, numbers = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
    names = tuple(chr(point) for point in points.tolist())
    return Tokens(numbers.astype(np.int64), names, context_length, min_count, stride=stride)
