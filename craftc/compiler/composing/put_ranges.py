"""Puts ranges that no file writes into a spec's search, at the place that asks for them."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from craftc.compiler.reading.document import SPACE, Document, Node


def put_ranges(
    document: Document, named: Node, ranges: Mapping[str, Mapping[str, Any]], taken_out: Collection[str]
) -> Document:
    """The document with ranges before those of its own, each at the place of the name that stands for them.

    An entry of `none` at one of the paths `taken_out` has done what it is for.
    """
    search = document.root.entry("search")
    assert search is not None
    assert isinstance(search.value, dict)
    key, space = search.value.get("space", (search.value["use"][0], None))
    if space is not None and not isinstance(space.value, dict):
        return document  # a mistake, for `validate` to tell
    own = space.value if space is not None and isinstance(space.value, dict) else {}
    kept = {path: entry for path, entry in own.items() if entry[1].value != "none" or path not in taken_out}
    entries = {path: (replace(named, value=path), _node(given, named)) for path, given in ranges.items()} | kept
    size = 1 + sum(path.size + given.size for path, given in entries.values())
    depth = 1 + max((given.depth for _, given in entries.values()), default=0)
    place = key if space is None else space
    whole = Node(entries, place.span, place.filename, size, depth)
    return replace(document, root=document.root.with_value(SPACE[:1], _with(search, key, whole)))


def _with(search: Node, key: Node, space: Node) -> Node:
    assert isinstance(search.value, dict)
    return replace(search, value={**search.value, "space": (key, space)})


def _node(value: Any, place: Node) -> Node:
    """A plain value as it were written at a place."""
    if isinstance(value, Mapping):
        inner = {name: (replace(place, value=name), _node(item, place)) for name, item in value.items()}
        size = 1 + sum(1 + item.size for _, item in inner.values())
        return replace(place, value=inner, size=size, depth=1 + max((i.depth for _, i in inner.values()), default=0))
    if isinstance(value, list | tuple):
        items = [_node(item, place) for item in value]
        size, depth = 1 + sum(item.size for item in items), 1 + max((item.depth for item in items), default=0)
        return replace(place, value=items, size=size, depth=depth)
    return replace(place, value=value)
