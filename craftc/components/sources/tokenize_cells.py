"""Cuts the texts of a table's cells into tokens.

N: rows, L: tokens of all rows together.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Tokenizer = Literal["words", "characters"]
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class TokenizedColumn:
    """The tokens of a column of text.

    Args:
        name: The name of the column.
        numbers: int64 (L,), those of all rows one after another.
        lengths: int64 (N,), how many each row has; 0 where a cell has no text.
        names: What each number stands for, sorted.
    """

    name: str
    numbers: NDArray[np.int64]
    lengths: NDArray[np.int64]
    names: tuple[str, ...]


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case, and every other sign that is no blank by itself."""
    return _WORD.findall(text.lower())


_TOKENIZERS: dict[Tokenizer, Callable[[str], list[str]]] = {"words": words, "characters": list}


def tokenized(name: str, texts: Sequence[str], tokenizer: Tokenizer) -> TokenizedColumn:
    """The tokens of texts; an empty one is a cell without text."""
    rows = list(map(_TOKENIZERS[tokenizer], texts))
    names = sorted(set(chain.from_iterable(rows)))
    number = {token: index for index, token in enumerate(names)}
    numbers = np.fromiter((number[token] for token in chain.from_iterable(rows)), dtype=np.int64)
    return TokenizedColumn(name, numbers, np.array(list(map(len, rows)), dtype=np.int64), tuple(names))
