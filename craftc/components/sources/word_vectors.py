"""Reads texts as rows of word vectors that are not trained, for a model that reconstructs them.

N: windows, T: words of the longest window, F: numbers of a word's vector.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from craftc.components.bounds import Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, DataWarning, not_utf8
from craftc.components.sources.columns import Column, Columns

UNKNOWN, PAD = "<unknown>", "<pad>"
DOCUMENT, WORDS = "document", "words"
"""What is known of a window beside its vectors: which text it is of, for `data.splits.group`, and its words."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_LISTED = 5


@declares(gives_targets=("vectors",), gives_columns=("vectors", "mask", "targets_mask"))
def word_vectors(
    *,
    path: Path,
    text: Name,
    vectors: Path,
    length: PositiveInt = 32,
    stride: PositiveInt | Literal["length"] = "length",
    unknown: Literal["mean", "zero", "skip", "error"] = "mean",
) -> Columns:
    """The texts of a CSV file in windows of words, each word its vector from a file; the target is the input.

    Columns are `vectors` (T, F) and the same as `targets`; `mask` and `targets_mask`, which leave out what fills a
    window up and words without a vector. `data.splits.group: document` keeps the windows of a text together; beside
    each sample stand its `words`, separated by spaces. Words are lower-cased; an apostrophe or a hyphen within a word
    belongs to it. The last window of a text may be shorter. How many words have no vector is reported.

    Args:
        path: The CSV file, UTF-8, with a header line; each row is one text.
        text: Column of the texts.
        vectors: Text file, UTF-8, of a word and its numbers in each line, separated by spaces, as GloVe has them
            (Pennington et al. 2014). A first line of two whole numbers, as word2vec writes it, is passed over.
        length: Words of a window.
        stride: Words from the beginning of a window to that of the next, up to `length`; fewer make windows overlap.
        unknown: A word without a vector. mean: the mean of the vectors of all known words of the texts, each as often
            as it occurs; zero: zeros; both are read and not counted in losses and metrics. skip: left out of the text;
            error: an error.

    Raises:
        DataError: No such file or column, not UTF-8, no known word, a line that is no vector, or an unknown word.
    """
    step = length if stride == "length" else stride
    if step > length:
        message = f"stride is {step}, and windows have {length} words: those between would be read by none"
        raise DataError("data-mismatch", message, f"write stride: {length}", "data.source.stride")
    texts = [[word.lower().replace("\u2019", "'") for word in _WORD.findall(each)] for each in _texts(path, text)]
    counts = Counter(word for words in texts for word in words)
    known = _read_vectors(vectors, counts)
    lost = Counter({word: count for word, count in counts.items() if word not in known})
    warnings = _told(lost, counts, unknown, Path(vectors))
    if unknown == "skip":
        texts = [[word for word in words if word in known] for words in texts]
    names = (PAD, UNKNOWN, *sorted(known))
    numbers = {word: number for number, word in enumerate(names)}
    table = _table(names, known, counts, is_mean=unknown == "mean")
    rows, documents = [], []
    for document, words in enumerate(texts):
        for start in _starts(len(words), length, step):
            rows.append([numbers.get(word, 1) for word in words[start : start + length]])
            documents.append(document)
    return _columns(rows, documents, names, table, warnings)


def _columns(
    rows: Sequence[Sequence[int]],
    documents: Sequence[int],
    names: tuple[str, ...],
    table: NDArray[np.float32],
    warnings: tuple[DataWarning, ...],
) -> Columns:
    tokens = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = row
    is_read, is_known = tokens > 0, tokens > 1
    # A window of unknown words alone has nothing that could be measured.
    kept = is_known.any(axis=1)
    tokens, is_read, is_known = tokens[kept], is_read[kept], is_known[kept]
    words = np.array([" ".join(names[number] for number in row if number) for row in tokens])
    return Columns(
        {
            "vectors": Column(table[tokens], "vectors", "input"),
            "mask": Column(is_read, "mask", "mask"),
            "targets": Column(table[tokens], "vectors", "target"),
            "targets_mask": Column(is_known, "mask", "mask"),
            WORDS: Column(words, "token", "id"),
        },
        warnings,
        {DOCUMENT: np.array(documents)[kept]},
    )


def _starts(num_words: int, length: int, step: int) -> range:
    """Where windows begin: until one reaches the end of the text."""
    return range(0, max(num_words - length, 0) + step, step) if num_words else range(0)


def _texts(path: Path, column: str) -> list[str]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(Path(path), error, f"byte {error.start:,} (from 0)") from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise DataError(
            "data-unreadable", f"{path} cannot be read: {said}", "check the path", "data.source.path"
        ) from error
    if column not in table.columns:
        message = f'{path} has no column "{column}"; it has {", ".join(map(str, table.columns))}'
        raise DataError("data-mismatch", message, "name one of them", "data.source.text")
    found: list[str] = table[column].tolist()
    return found


def _read_vectors(path: Path, wanted: Mapping[str, int]) -> dict[str, NDArray[np.float32]]:
    """The vectors of the words that are wanted; all of one width."""
    found: dict[str, NDArray[np.float32]] = {}
    place = "data.source.vectors"
    try:
        with Path(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, *values = line.rstrip().split(" ")
                if word not in wanted or (number == 1 and len(values) == 1):
                    continue
                try:
                    vector = np.array(values, dtype=np.float32)
                except ValueError:
                    vector = np.zeros(0, dtype=np.float32)
                width = len(next(iter(found.values()), vector))
                if not len(vector) or len(vector) != width or not np.isfinite(vector).all():
                    message = (
                        f'line {number:,} of {path} is no vector of {width or "some"} finite numbers: "{word} ..."'
                    )
                    raise DataError(
                        "data-mismatch", message, "write a word and its numbers, separated by spaces", place
                    )
                found.setdefault(word, vector)
    except UnicodeDecodeError as error:
        raise not_utf8(Path(path), error, f"byte {error.start:,} (from 0)") from error
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise DataError(
            "data-unreadable", message, "check the path; data that is fetched needs its make target", place
        ) from error
    if not found:
        raise DataError("data-mismatch", f"{path} has a vector for none of the words", "name another file", place)
    return found


def _table(
    names: tuple[str, ...], known: Mapping[str, NDArray[np.float32]], counts: Mapping[str, int], *, is_mean: bool
) -> NDArray[np.float32]:
    """The vector of each name: zeros for what fills up, and for an unknown word zeros or the mean."""
    width = len(next(iter(known.values())))
    table = np.zeros((len(names), width), dtype=np.float32)
    table[2:] = [known[word] for word in names[2:]]
    if is_mean:
        table[1] = np.average(table[2:].astype(np.float64), axis=0, weights=[counts[word] for word in names[2:]])
    return table


def _told(lost: Mapping[str, int], counts: Mapping[str, int], unknown: str, vectors: Path) -> tuple[DataWarning, ...]:
    """Nothing where every word has a vector."""
    if not lost:
        return ()
    often = sorted(lost, key=lambda word: (-lost[word], word))[:_LISTED]
    num_lost, num_all = sum(lost.values()), sum(counts.values())
    message = (
        f"{num_lost:,} of {num_all:,} words ({num_lost / num_all:.1%}) have no vector in {vectors.name}, {len(lost):,} "
        f"different ones, most often {', '.join(often)}"
    )
    place = "data.source.unknown"
    if unknown == "error":
        raise DataError("data-mismatch", message, "write unknown: mean, zero or skip", place)
    handled = {"skip": "they are left out"}.get(unknown, f"they are read as {unknown}, and not counted in losses")
    return (DataWarning("unknown-words", message, handled, place),)
