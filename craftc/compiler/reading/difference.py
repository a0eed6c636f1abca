"""Finds where two trees differ, and applies such differences to a tree without copying the rest of it."""

from collections.abc import Iterable
from typing import Any

from craftc.schemas.diagnostic import Path

GONE = object()
"""What stands in a difference where the other tree has nothing."""

_ORDERED: set[Path] = {("data", "splits")}
"""Mappings whose order says something."""

Difference = tuple[Path, Any]
"""A place, and the value that it has in the other tree."""


def differences(one: Any, other: Any, place: Path = ()) -> Iterable[Difference]:
    """The fewest places that have to be set for the one tree to become the other. Elsewhere than in
    splits, the order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict) and (place not in _ORDERED or list(one) == list(other)):
        for key in [*other, *(key for key in one if key not in other)]:
            if key not in other:
                yield (*place, key), GONE
            elif key not in one:
                yield (*place, key), other[key]
            elif one[key] is not other[key]:
                yield from differences(one[key], other[key], (*place, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (item, there) in enumerate(zip(one, other, strict=True)):
            yield from differences(item, there, (*place, index))
    elif type(one) is not type(other) or repr(one) != repr(other):  # 1, 1.0 and true are equal, and so are 0.0 and -0.0
        yield place, other


def put(tree: dict[str, Any], changes: Iterable[Difference]) -> dict[str, Any]:
    """The tree with the differences in it. What they do not touch is the tree's own, so neither may be changed."""
    new = dict(tree)
    own: dict[int, Any] = {id(new): new}
    for (*way, last), value in changes:
        inner: Any = new
        for part in way:
            there = inner[part]
            if id(there) not in own:
                there = there.copy()
                own[id(there)] = there
                inner[part] = there
            inner = there
        if value is GONE:
            del inner[last]
        else:
            inner[last] = value
    return new
