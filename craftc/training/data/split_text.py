"""Divides a text into the stretches of each split, and those into windows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, raise_all
from craftc.components.sources.columns import COUNTED, Column
from craftc.components.sources.samples import INPUT, TARGET
from craftc.components.sources.tokens import Tokens
from craftc.schemas.split_roles import FIT, by_reading, setting, share_of
from craftc.schemas.splits import OF_SAMPLES
from craftc.training.data.split import Split

UNKNOWN = "<unknown>"
"""The name of the token that stands for all rare ones."""


def split_text(tokens: Tokens, options: Mapping[str, Any]) -> tuple[dict[str, Split], NDArray[np.int64]]:
    """Stretches of the text, one after the other: two splits that took turns would show each other's neighbours.

    Each stretch is cut into windows that share no target, or begin `stride` tokens after each other. The targets of a
    window are its tokens' successors; see `_measured_windows` for those that count. Returns the splits, and how often
    train has each token, (C,). Raises DataError.
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
    used = {name: _used(stretch, tokens, is_measured=name != FIT) for name, stretch in stretches.items()}
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
    splits = {
        name: _windows(row, length, names)
        if tokens.stride is None
        else _measured_windows(row, length, tokens.stride, names)
        if name != FIT
        else _overlapping(row, length, _starts(len(row), length, tokens.stride), names)
        for name, row in rows.items()
    }
    return splits, np.bincount(rows[FIT], minlength=len(names)).astype(np.int64)


def _windows(row: NDArray[np.int64], length: int, names: tuple[str, ...]) -> Split:
    inputs = Column(row[:-1].reshape(-1, length), "token", "input", names)
    targets = Column(row[1:].reshape(-1, length), "token", "target", names)
    return Split({INPUT: inputs, TARGET: targets})


def _starts(num_tokens: int, length: int, stride: int) -> NDArray[np.int64]:
    """Where the windows begin that fit with the successor of their last token."""
    return np.arange(0, num_tokens - length, stride)


def _overlapping(row: NDArray[np.int64], length: int, starts: NDArray[np.int64], names: tuple[str, ...]) -> Split:
    windows = np.lib.stride_tricks.sliding_window_view(row, length + 1)[starts]
    inputs = Column(np.ascontiguousarray(windows[:, :-1]), "token", "input", names)
    return Split({INPUT: inputs, TARGET: Column(np.ascontiguousarray(windows[:, 1:]), "token", "target", names)})


def _measured_windows(row: NDArray[np.int64], length: int, stride: int, names: tuple[str, ...]) -> Split:
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
