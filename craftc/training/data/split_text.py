"""Divides a text into the stretches of each split, and those into windows."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from craftc.components.build import build
from craftc.components.errors import DataError, raise_all
from craftc.components.sources.columns import CHARACTERS, COUNTED, Column
from craftc.components.sources.samples import INPUT, TARGET
from craftc.components.sources.tokens import Tokens
from craftc.components.tokenizers.vocabulary import REPLACEMENT, UNKNOWN, Vocabulary
from craftc.schemas.split_roles import FIT, by_reading, setting, share_of
from craftc.schemas.splits import OF_SAMPLES
from craftc.training.data.split import Split

CHAR = {"kind": "char"}
"""The tokenizer that leaves the tokens of a source as they are."""


class SplitText(NamedTuple):
    """The splits of a text, how often train has each token, (C,), and what the tokens are."""

    splits: dict[str, Split]
    counts: NDArray[np.int64]
    vocabulary: Vocabulary


def split_text(tokens: Tokens, options: Mapping[str, Any], tokenizer: Mapping[str, Any] = CHAR) -> SplitText:
    """Stretches of the text, one after the other: two splits that took turns would show each other's neighbours.

    Each stretch is cut into windows that share no target, or begin `stride` tokens after each other. The targets of a
    window are its tokens' successors; see `_measured_windows` for those that count. A tokenizer other than of
    characters is fitted to the stretch of train, written in the characters that train has. Raises DataError.
    """
    of_samples = "is said of samples, and the source gives a text, whose splits are stretches of it"
    raise_all(
        DataError("split-unusable", f"data.splits.{key} {of_samples}", hint, f"data.splits.{key}")
        for key, hint in OF_SAMPLES.items()
        if setting(options, key)
    )
    length = tokens.context_length
    if setting(options, "from_source"):
        stretches = _given_stretches(tokens, options)
    else:
        shares = {name: share_of(options.get(name)) for name in by_reading(options)}
        stretches = _stretches(tokens, {name: float(share) for name, share in shares.items() if share})
    if (share := options.get("train_share", 1.0)) < 1:
        stretches[FIT] = stretches[FIT][: round(share * len(stretches[FIT]))]
    raise_all(_too_short(stretches, length))
    is_cut_further = tokenizer != CHAR
    # What a window leaves out at the end depends on the tokens, and the characters of train do not.
    used = (
        stretches
        if is_cut_further
        else {name: _used(stretch, tokens, is_measured=name != FIT) for name, stretch in stretches.items()}
    )
    counts = np.bincount(used[FIT], minlength=len(tokens.names))
    kept = np.flatnonzero(counts >= tokens.min_count)
    has_unknown = counts[counts < tokens.min_count].sum() > 0
    if not has_unknown:
        raise_all(_unknown_tokens(used, counts, tokens))
    numbers = np.full(len(tokens.names), len(kept), dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    names = (*(tokens.names[number] for number in kept), *([UNKNOWN] if has_unknown else []))
    if len(names) < 2:
        message = f"all {len(used[FIT])} tokens of train are {names[0]!r}"
        raise DataError("single-class", message, "there is nothing to predict; take another text or a lower min_count")
    rows = {name: numbers[stretch] for name, stretch in used.items()}
    if is_cut_further:
        return _tokenized(rows, names, tokens, tokenizer)
    splits = {name: _cut(row, tokens, names, is_measured=name != FIT) for name, row in rows.items()}
    counts = np.bincount(rows[FIT], minlength=len(names)).astype(np.int64)
    return SplitText(splits, counts, Vocabulary(names, len(names)))


def _tokenized(
    rows: Mapping[str, NDArray[np.int64]], characters: tuple[str, ...], tokens: Tokens, tokenizer: Mapping[str, Any]
) -> SplitText:
    """Stretches of characters as those of a tokenizer's tokens."""
    if any(len(name) > 1 for name in characters if name != UNKNOWN):
        message = f"{tokenizer['kind']} is made of characters, and the source gives tokens of its own"
        raise DataError("data-mismatch", message, "leave data.tokenizer out", "data.tokenizer")
    written = np.array([REPLACEMENT if name == UNKNOWN else name for name in characters])
    texts = {name: "".join(written[row].tolist()) for name, row in rows.items()}
    vocabulary: Vocabulary = build("tokenizers", tokenizer).fit(texts[FIT], characters)
    cut, sizes = {}, {}
    for name, text in texts.items():
        # The first character of what is measured is a token of its own, so that all but it count whatever the tokens.
        pieces = [vocabulary.spans(part) for part in ((text,) if name == FIT else (text[:1], text[1:]))]
        cut[name] = np.array([number for ids, _ in pieces for number in ids], dtype=np.int64)
        sizes[name] = np.array([size for _, spans in pieces for size in spans], dtype=np.float32)
        kept = "".join(vocabulary.decode(ids) for ids, _ in pieces)
        if kept != text or sizes[name].sum() != len(text):
            place = next((i for i, (a, b) in enumerate(zip(text, kept, strict=False)) if a != b), len(kept))
            message = f"the tokenizer does not keep the text of {name}: {text[place : place + 12]!r} comes back as "
            message += repr(kept[place : place + 12])
            hint = "take one that keeps every character, such as bpe, or a file of a byte-level one"
            raise DataError("data-mismatch", message, hint, "data.tokenizer")
    raise_all(_too_short(cut, tokens.context_length))
    splits = {}
    for name, row in cut.items():
        is_measured = name != FIT
        used = _used(row, tokens, is_measured=is_measured)
        split = _cut(used, tokens, vocabulary.names, is_measured=is_measured)
        beside = _cut(sizes[name][: len(used)], tokens, (), is_measured=is_measured).columns[TARGET].values
        splits[name] = Split({**split.columns, CHARACTERS: Column(beside, "real", "weight")})
    # One more of each (Laplace): a token that train does not have is not impossible.
    counts = np.bincount(_used(cut[FIT], tokens, is_measured=False), minlength=len(vocabulary)).astype(np.int64) + 1
    return SplitText(splits, counts, vocabulary)


def _cut(row: NDArray[Any], tokens: Tokens, names: tuple[str, ...], *, is_measured: bool) -> Split:
    """The windows of a row."""
    length, stride = tokens.context_length, tokens.stride
    if stride is None:
        return _windows(row, length, names)
    if is_measured:
        return _measured_windows(row, length, stride, names)
    return _overlapping(row, length, _starts(len(row), length, stride), names)


def _windows(row: NDArray[Any], length: int, names: tuple[str, ...]) -> Split:
    inputs = Column(row[:-1].reshape(-1, length), "token", "input", names)
    targets = Column(row[1:].reshape(-1, length), "token", "target", names)
    return Split({INPUT: inputs, TARGET: targets})


def _starts(num_tokens: int, length: int, stride: int) -> NDArray[np.int64]:
    """Where the windows begin that fit with the successor of their last token."""
    return np.arange(0, num_tokens - length, stride)


def _overlapping(row: NDArray[Any], length: int, starts: NDArray[np.int64], names: tuple[str, ...]) -> Split:
    windows = np.lib.stride_tricks.sliding_window_view(row, length + 1)[starts]
    inputs = Column(np.ascontiguousarray(windows[:, :-1]), "token", "input", names)
    return Split({INPUT: inputs, TARGET: Column(np.ascontiguousarray(windows[:, 1:]), "token", "target", names)})


def _measured_windows(row: NDArray[Any], length: int, stride: int, names: tuple[str, ...]) -> Split:
    """Windows in which every token but the first of the row is a target that counts once: all of the first window, and
    of each other those behind the end of the one before. The last window ends with the row."""
    starts = _starts(len(row), length, stride)
    last = len(row) - 1 - length
    starts = starts if starts[-1] == last else np.append(starts, last)
    num_new = np.diff(starts, prepend=-length)
    counted = np.arange(length) >= length - np.minimum(num_new, length)[:, None]
    split = _overlapping(row, length, starts, names)
    return Split({**split.columns, COUNTED: Column(counted, "mask", "mask")})


def _stretches(tokens: Tokens, fractions: Mapping[str, float]) -> dict[str, NDArray[np.int64]]:
    ends = np.round(np.cumsum(list(fractions.values())) * len(tokens.numbers)).astype(int)
    return dict(zip(fractions, np.split(tokens.numbers, ends[:-1]), strict=True))


def _given_stretches(tokens: Tokens, options: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
    """The text of each split, as the source gives it. Raises DataError."""
    place, hint = "data.splits.from_source", "return a mapping of split to Tokens"
    if not tokens.lengths:
        raise DataError("split-unusable", "the source gives one text, and no splits", hint, place)
    ends = np.cumsum(list(tokens.lengths.values()))
    given = dict(zip(tokens.lengths, np.split(tokens.numbers, ends[:-1]), strict=True))
    there, wanted = ", ".join(given), by_reading(options)
    errors = [
        DataError("empty-split", f"the source gives no text of split {name}", f"it gives {there}", place)
        for name in wanted
        if name not in given
    ]
    errors += [
        DataError("split-unusable", f'the source gives a text "{name}", which is no split here', "name it", place)
        for name in given
        if name not in wanted
    ]
    raise_all(errors)
    return {name: given[name] for name in wanted}


def _too_short(stretches: Mapping[str, NDArray[np.int64]], length: int) -> Iterator[DataError]:
    """Of each split that no window fits into."""
    for name, stretch in stretches.items():
        if len(stretch) <= length:
            yield DataError(
                "empty-split",
                f"split {name} is empty: it has {len(stretch)} tokens of the text, and a window takes {length + 1}",
                f"raise data.splits.{name}, lower data.source.context_length, or take a longer text",
                f"data.splits.{name}",
            )


def _used(stretch: NDArray[np.int64], tokens: Tokens, *, is_measured: bool) -> NDArray[np.int64]:
    """The tokens of all windows, and the successor of the last."""
    length, stride = tokens.context_length, tokens.stride
    if stride is None:
        return stretch[: (len(stretch) - 1) // length * length + 1]
    return stretch if is_measured else stretch[: int(_starts(len(stretch), length, stride)[-1]) + length + 1]


def _unknown_tokens(
    used: Mapping[str, NDArray[np.int64]], counts: NDArray[np.int64], tokens: Tokens
) -> Iterator[DataError]:
    """Of each split that has a token that train has not, where train has no rare ones that could stand for it."""
    for name, stretch in used.items():
        new = np.unique(stretch[counts[stretch] == 0])
        if len(new):
            rarest = int(np.where(counts > 0, counts, counts.max()).argmin())
            shown = ", ".join(repr(tokens.names[number]) for number in new[:5])
            more = f" and {len(new) - 5} more" if len(new) > 5 else ""
            yield DataError(
                "unknown-token",
                f"split {name} has tokens that train does not have: {shown}{more}",
                f"with min_count: {counts[rarest] + 1} in data.source, rare ones of train, such as "
                f"{tokens.names[rarest]!r}, and these become one token, unknown; or clean the text",
            )
