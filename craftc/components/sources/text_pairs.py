"""Reads pairs of texts, from a file or from Python itself, as tokens of one character.

N: pairs, T: tokens of the longest source text, U: those of the longest target text.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from annotated_types import Len
from numpy.typing import NDArray

from craftc.components.bounds import Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, not_utf8
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.text import check_digest

PAD, START, END = "<pad>", "<start>", "<end>"
COLUMNS = ("tokens", "decoder_tokens", "mask", "targets_mask")
"""What a model may ask for."""
_WORD = re.compile(r"[a-z]{4,12}")
_VOWELS = re.compile(r"[aeiou]")


@declares(gives_targets=("token",), gives_columns=COLUMNS)
def text_pairs(*, path: Path, source: Name, target: Name, max_length: PositiveInt = 128) -> Columns:
    """Two columns of a CSV file, each character a token: a model writes the target text of a source text.

    Columns are `tokens` and `mask`, `targets` and `targets_mask`, and `decoder_tokens`, the targets behind a
    token that starts them. A text ends with a token of its own, and is padded to the longest of its column. The
    vocabulary is that of the file, of both columns. Name one column twice to reconstruct it.

    Args:
        path: The CSV file, UTF-8, with a header line.
        source: Column of the texts that are given.
        target: Column of the texts that are to be written.
        max_length: Characters of a text; a longer one is an error.

    Raises:
        DataError: No such file or column, not UTF-8, no rows, or too long a text.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(Path(path), error, f"byte {error.start:,} (from 0)") from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise DataError("data-unreadable", f"{path} cannot be read: {said}", "check the path", _PATH) from error
    for name, place in ((source, "data.source.source"), (target, "data.source.target")):
        if name not in table.columns:
            message = f'{path} has no column "{name}"; it has {", ".join(map(str, table.columns))}'
            raise DataError("data-mismatch", message, "name one of them", place)
    if not len(table):
        raise DataError("data-mismatch", f"{path} has no row below its header", "name another file", _PATH)
    given, wanted = table[source].tolist(), table[target].tolist()
    longest = max(range(len(table)), key=lambda row: max(len(given[row]), len(wanted[row])))
    length = max(len(given[longest]), len(wanted[longest]))
    if length > max_length:
        message = f"row {longest + 1} of {path} has a text of {length:,} characters; max_length is {max_length}"
        raise DataError(
            "data-mismatch", message, f"write max_length: {length}, or shorten it", "data.source.max_length"
        )
    return pairs_of(given, wanted)


@declares(gives_targets=("token",), gives_columns=COLUMNS)
def python_words(
    *,
    given: Literal["consonants", "word"] = "consonants",
    sha256: Literal["infer"] | Annotated[str, Len(64, 64)] = "infer",
) -> Columns:
    """Words of 4 to 12 letters of the English that ships with Python, the topics of `help()`, by their consonants.

    A model restores the vowels: `prgrm` is to become `program`. Of words with the same consonants the most frequent
    counts. Columns are those of `text_pairs`.

    Args:
        given: consonants: the source text is the word without its vowels; word: the word itself, to be reconstructed.
        sha256: Which text it is, since Pythons of different versions have different ones: infer that of this Python,
            a hash no other than that. It is part of a trial's identity.

    Raises:
        DataError: This Python has no such text, or another.
    """
    counts = Counter(_WORD.findall(check_digest(sha256).lower()))
    words: dict[str, str] = {}
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        consonants = _VOWELS.sub("", word)
        if len(consonants) > 1:
            words.setdefault(consonants, word)
    wanted = list(words.values())
    return pairs_of(list(words) if given == "consonants" else wanted, wanted)


def pairs_of(given: Sequence[str], wanted: Sequence[str]) -> Columns:
    """The columns of pairs of texts."""
    names = (PAD, START, END, *sorted({character for text in (*given, *wanted) for character in text}))
    numbers = {name: number for number, name in enumerate(names)}
    tokens, mask = _padded([[*map(numbers.__getitem__, text), numbers[END]] for text in given])
    targets, targets_mask = _padded([[*map(numbers.__getitem__, text), numbers[END]] for text in wanted])
    starts = np.full((len(targets), 1), numbers[START])
    return Columns(
        {
            "tokens": Column(tokens, "token", "input", names),
            "decoder_tokens": Column(np.concatenate([starts, targets[:, :-1]], axis=1), "token", "input", names),
            "mask": Column(mask, "mask", "mask"),
            "targets": Column(targets, "token", "target", names),
            "targets_mask": Column(targets_mask, "mask", "mask"),
        }
    )


def _padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows, filled up with 0, and which of it is theirs."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros(mask.shape, dtype=np.int64)
    padded[mask] = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    return padded, mask


_PATH = "data.source.path"
