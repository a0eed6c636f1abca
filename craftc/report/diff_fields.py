"""Finds the fields in which two trees of plain JSON values differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from craftc.schemas.comparison import FieldChange
from craftc.schemas.diagnostic import Path, format_path


def diff_fields(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[FieldChange]:
    """In the order of `a`, then of what only `b` has.

    Mappings are compared key by key, lists of mappings item by item, all else whole. A component of another kind is
    another value: its arguments mean something else. A section that is None or "none" is one that is not there.
    """
    return list(_mappings(a, b, ()))


def _mappings(a: Mapping[str, Any], b: Mapping[str, Any], path: Path) -> Iterator[FieldChange]:
    for key in dict.fromkeys((*a, *b)):
        if key not in b:
            yield FieldChange(path=format_path((*path, key)), kind="removed", a=a[key])
        elif key not in a:
            yield FieldChange(path=format_path((*path, key)), kind="added", b=b[key])
        else:
            yield from _values(a[key], b[key], (*path, key))


def _values(a: Any, b: Any, path: Path) -> Iterator[FieldChange]:
    if _is_same(a, b):
        return
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.get("kind") == b.get("kind"):
        yield from _mappings(a, b, path)
    elif _holds_mappings(a) and _holds_mappings(b):
        yield from _items(a, b, path)
    elif _is_off(a) and isinstance(b, Mapping):
        yield FieldChange(path=format_path(path), kind="added", b=b)
    elif _is_off(b) and isinstance(a, Mapping):
        yield FieldChange(path=format_path(path), kind="removed", a=a)
    else:
        yield FieldChange(path=format_path(path), kind="changed", a=a, b=b)


def _items(a: list[Any], b: list[Any], path: Path) -> Iterator[FieldChange]:
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        yield from _values(one, other, (*path, index))
    for index in range(len(b), len(a)):
        yield FieldChange(path=format_path((*path, index)), kind="removed", a=a[index])
    for index in range(len(a), len(b)):
        yield FieldChange(path=format_path((*path, index)), kind="added", b=b[index])


def _is_same(a: Any, b: Any) -> bool:
    """Equal as JSON: True is not 1. A whole number is the same as a float or an integer."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_is_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_is_same, a, b))
    return bool(a == b)


def _is_off(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value == "none")


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)
