"""Finds the known name that a misspelt one was probably meant to be, or can only have been meant to be."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

MAX_COMPARED = 300
"""Known names that one is compared with, and (below) characters of each, so that no text makes the search long."""
_MAX_LENGTH = 32
_MAX_EDITS = 3
_MAX_KEPT = 8_000
"""Characters of names whose answer is kept."""
_SHORT_WORD = 4
_LONG_WORD = 5
"""Letters: up to the first, a letter more or less makes another word; beyond the second, a changed one seldom does."""
_WORD_END = re.compile(r"[-_./\s]+")
_DIGITS = re.compile(r"\d+")
_DOUBLE = re.compile(r"(.)\1+")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is the fewest edits away; None where that is more than three, or a third of the letters.

    Case, dashes and underscores count for nothing; where nothing is near, a name that begins like it is taken.
    """
    names = tuple(islice(known, MAX_COMPARED))
    return _nearest(name, names) if _is_much(name, names) else _recall_nearest(name, names)


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    plain = _plain(name)
    candidates = [(other, _plain(other)) for other in known]
    best: tuple[int, str] | None = None
    for other, theirs in candidates:
        limit = min(max(len(plain), len(theirs)) // 3, _MAX_EDITS) if best is None else best[0] - 1
        distance = _distance(plain, theirs, limit)
        if distance is not None:
            best = (distance, other)
    if best is not None:
        return best[1]
    # An end that was left out or put on: accuracy for acc, and valid for validation.
    shared = (other for other, theirs in candidates if min(len(plain), len(theirs)) >= 3)
    return next((other for other in shared if _is_beginning(plain, _plain(other))), None)


def _is_beginning(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _plain(name: str) -> str:
    return name[:_MAX_LENGTH].lower().replace("-", "").replace("_", "")


def _distance(one: str, other: str, limit: int) -> int | None:
    """Letters put in, taken out, changed, or swapped with their neighbour (optimal string alignment).

    None beyond `limit`, so that only the cells of the table that lie that near to its diagonal are computed.
    """
    if abs(len(one) - len(other)) > limit:
        return None
    far = limit + 1
    before: list[int] = []
    row = [min(j, far) for j in range(len(other) + 1)]
    for i, letter in enumerate(one, start=1):
        above, row = row, [far] * (len(other) + 1)
        row[0] = min(i, far)
        for j in range(max(1, i - limit), min(len(other), i + limit) + 1):
            theirs = other[j - 1]
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, before[j - 2] + 1)
            row[j] = cost
        if min(row) > limit and min(above) > limit:
            return None
        before = above
    return row[-1] if row[-1] <= limit else None


def surely_meant(name: str, known: Iterable[str]) -> str | None:
    """The known name of which this can only be a slip; None where it may be a name of its own, or a slip of another.

    It is one where it differs in case and dashes alone; or where no other known name is within the distance above, and
    at most one edit further away, and every word of it is the same or has one slip: a letter put in, left out, swapped
    with its neighbour, or, in a long word, changed. The first letter and all digits are right. `f1_micro` for f1_macro,
    `nadam` for adam, `max_delta` for min_delta are names of their own.
    """
    names = tuple(islice(known, MAX_COMPARED + 1))
    if len(names) > MAX_COMPARED or len(name) > _MAX_LENGTH:
        return None
    return _surely_meant(name, names) if _is_much(name, names) else _recall_surely_meant(name, names)


def _surely_meant(name: str, known: tuple[str, ...]) -> str | None:
    plain = _plain(name)
    same = [other for other in known if _plain(other) == plain]
    slips = same or [other for other in known if _is_slip(name, other)]
    if name in known or len(slips) != 1:
        return None
    (meant,) = slips
    # As near as one edit more: of `eavluation`, one edit from evaluation, ablation with three is no other reading.
    edits = _distance(plain, _plain(meant), max(len(plain), len(_plain(meant))))
    assert edits is not None, "no two names are further apart than all of their letters"
    is_alone = bool(same) or not any(other != meant and _is_near(plain, _plain(other), edits + 1) for other in known)
    return meant if is_alone else None


def _is_much(name: str, known: tuple[str, ...]) -> bool:
    """Whether names are too long to be kept: those of a user's text may be all of it."""
    return len(name) + sum(map(len, known)) > _MAX_KEPT


# The same name is asked for in every variant.
_recall_nearest = lru_cache(maxsize=256)(_nearest)
_recall_surely_meant = lru_cache(maxsize=256)(_surely_meant)


def _is_near(one: str, other: str, most: int) -> bool:
    return _distance(one, other, min(max(len(one), len(other)) // 3, _MAX_EDITS, most)) is not None


def _is_slip(name: str, meant: str) -> bool:
    if _DIGITS.findall(name) != _DIGITS.findall(meant):
        return False
    words, theirs = (_WORD_END.split(text.lower()) for text in (name, meant))
    if len(words) == len(theirs):
        return all(map(_is_slip_of_word, words, theirs))
    # The words are parted in another way, or not at all.
    return _is_slip_of_word("".join(words), "".join(theirs))


def _is_slip_of_word(word: str, meant: str) -> bool:
    if word == meant:
        return True
    if not word or not meant or word[0] != meant[0] or _distance(word, meant, 1) is None:
        return False
    is_swap = len(word) == len(meant) and sorted(word) == sorted(meant)
    if is_swap or f"{word}s" == meant or word == f"{meant}s":
        return True
    if len(meant) <= _SHORT_WORD:  # one letter more or less makes another: sgdw of sgd, glu of gelu
        return len(word) > len(meant) and _without_doubles(word) == _without_doubles(meant)
    return len(word) != len(meant) or len(meant) > _LONG_WORD


def _without_doubles(word: str) -> str:
    return _DOUBLE.sub(r"\1", word)
