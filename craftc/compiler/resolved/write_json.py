"""A complete spec to JSON, with the origin of every value."""

from collections.abc import Iterator
from typing import Any

from craftc.compiler.resolved.resolved_spec import Item, ResolvedSpec
from craftc.schemas.diagnostic import Path, format_path, range_json

FORMAT_VERSION = "1.0"


def as_json(spec: ResolvedSpec) -> dict[str, Any]:
    """The contract of `craftc plan --resolved --format json`: the spec, and the origin of every value by its path."""
    return {
        "format_version": FORMAT_VERSION,
        "spec": _plain(spec.root),
        "origins": {format_path(path): _origin(item) for path, item in _leaves(spec.root, ())},
        "included": {name: range_json(where) for name, where in spec.files.items()},
    }


def _plain(item: Item) -> Any:
    if isinstance(item.children, dict):
        return {key: _plain(child) for key, child in item.children.items() if child.is_written}
    return item.value if item.children is None else [_plain(child) for child in item.children]


def _origin(item: Item) -> dict[str, Any]:
    if item.place is None:
        return {"from": "default", "written": not item.is_left_out, "value": item.value}
    origin = {"from": "environment" if item.variables else "file", "range": range_json(item.place)}
    return {**origin, "variables": list(item.variables)} if item.variables else origin


def _leaves(item: Item, path: Path) -> Iterator[tuple[Path, Item]]:
    if item.children is None:
        yield path, item
        return
    children = item.children.items() if isinstance(item.children, dict) else enumerate(item.children)
    for part, child in children:
        yield from _leaves(child, (*path, part))
