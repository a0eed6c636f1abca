"""Finds the known name that a misspelt one was probably meant to be."""

from collections.abc import Iterable
from itertools import islice

MAX_COMPARED = 300
"""Known names that one is compared with, and (below) characters of each, so that no text makes the search long."""
_MAX_LENGTH = 32
_MAX_EDITS = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is the fewest edits away; None where that is more than three, or a third of the letters.

    Case, dashes and underscores count for nothing; where nothing is near, a name that begins like it is taken.
    """
    plain = _plain(name)
    candidates = [(other, _plain(other)) for other in islice(known, MAX_COMPARED)]
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
