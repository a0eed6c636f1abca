"""Merges the tree of a base with that of the file that extends it; every value keeps its place.

Mappings whose keys the language defines are merged key by key; scalars and lists are replaced. So two sections merge,
and two components of one kind, but not components of different kinds. Where the keys are the user's (splits, features,
factors, ranges), they merge as well, but each entry is replaced whole, and `none` removes an entry of the base.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import get_origin

from craftc.compiler.language.component_fields import component_fields
from craftc.compiler.reading.document import Node
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import Language
from craftc.schemas.section import Section
from craftc.schemas.spec import Component
from craftc.schemas.terms import TERMS

OWN = ("name", "description", "extends")
"""Keys that describe the file itself. `craftc` does too, but a base of another version must be reported."""

Entries = dict[str, tuple[Node, Node]]


def extend(base: Node, over: Node) -> Node:
    """A file's tree over that of its base. Both are mappings."""
    assert isinstance(base.value, dict)
    inherited = {key: entry for key, entry in base.value.items() if key not in OWN and not _is_version(key, entry)}
    return _merge(_like(base, inherited), over, ())


def merge_entries(base: Node, over: Node) -> Node:
    """Two mappings whose keys are the user's: each entry is replaced whole, and `none` takes one away."""
    return _merge_entries(base, over)


@lru_cache(maxsize=1)
def open_places() -> frozenset[Path]:
    """The sections whose keys are the user's own."""

    merged = {field.path for field in component_fields() if field.by_name and not field.many}

    def walk(section: type[Section], prefix: Path) -> Iterator[Path]:
        if section.open_to is not None and not issubclass(section, Component):
            yield prefix
        for name, field in section.fields.items():
            # Components by names are merged each with its own; lists of them are replaced.
            if any(get_origin(part) is dict for part in field.parts) and (*prefix, name) not in merged:
                yield (*prefix, name)
            for inner in field.sections:
                yield from walk(inner, (*prefix, name))

    return frozenset(walk(Language, ()))


def _is_version(key: str, entry: tuple[Node, Node]) -> bool:
    return key == "craftc" and entry[1].value == 1


def _merge(base: Node, over: Node, path: Path) -> Node:
    if path in open_places() and isinstance(base.value, dict) and isinstance(over.value, dict):
        return _merge_entries(base, over)
    reserved = _reserved(path)
    if path[:-1] == TERMS and over.value == "none":
        return over  # it takes the term away
    if reserved is not None:
        base, over = _spelled_out(base), _spelled_out(over)
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    kept = base.value
    if reserved is not None and _kind(base) is not None and _kind(over) not in (None, _kind(base)):
        # Arguments of another kind would be mistakes; what belongs to the section stays.
        kept = {key: entry for key, entry in kept.items() if key in reserved - {TERMS[-1]}}
    entries: Entries = {**kept, **over.value}
    for key, (key_node, value) in over.value.items():
        if key in kept:
            entries[key] = (key_node, _merge(kept[key][1], value, (*path, key)))
    return _like(over, entries)


def _merge_entries(base: Node, over: Node) -> Node:
    assert isinstance(base.value, dict)
    assert isinstance(over.value, dict)
    taken_away = {key for key, (_, value) in over.value.items() if value.value == "none" and key in base.value}
    entries = {**base.value, **over.value}
    return _like(over, {key: entry for key, entry in entries.items() if key not in taken_away})


def _like(node: Node, entries: Entries) -> Node:
    """A mapping of these entries at the place of another."""
    size = 1 + sum(key.size + value.size for key, value in entries.values())
    depth = 1 + max((value.depth for _, value in entries.values()), default=0)
    return Node(entries, node.span, node.filename, size, depth)


def _reserved(path: Path) -> frozenset[str] | None:
    """The keys beside `kind` that belong to the section; None where no single component stands."""
    return next((field.reserved for field in component_fields() if field.holds(path) and not field.many), None)


def _spelled_out(node: Node) -> Node:
    """`adamw` as `{kind: adamw}`."""
    return _like(node, {"kind": (node, node)}) if isinstance(node.value, str) else node


def _kind(node: Node) -> object:
    """What a component is: its kind, or terms, which an objective may have in the place of one."""
    if not isinstance(node.value, dict):
        return None
    return node.value["kind"][1].value if "kind" in node.value else TERMS if TERMS[-1] in node.value else None
