"""A complete spec to YAML with a comment on every line, and to JSON."""

import re
from collections.abc import Iterator
from typing import Any

from craftc.compiler.resolved.resolved_spec import Item, ResolvedSpec
from craftc.schemas.diagnostic import Path, format_path, range_json

FORMAT_VERSION = "1.0"
_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*(:[\w./+-]+)*( [\w./+-]+(:[\w./+-]+)*)*", re.ASCII)
# What one reader of YAML or another takes for something else than text.
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\xa0\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]')


def as_yaml(spec: ResolvedSpec) -> str:
    """The spec as a text that can be saved anywhere and plans to the same trials."""
    lines = [f"# {_comment(spec.filename)}, complete: every default and every included file is written in."]
    lines += [
        f"# {_comment(name)} is included in {_comment(where.filename)}:{where.start.line}."
        for name, where in spec.files.items()
    ]
    return "\n".join([*lines, *_mapping(spec.root, "")]) + "\n"


def as_json(spec: ResolvedSpec) -> dict[str, Any]:
    """The contract of `craftc plan --resolved --format json`: the spec, and the origin of every value by its path."""
    return {
        "format_version": FORMAT_VERSION,
        "spec": _plain(spec.root),
        "origins": {format_path(path): _origin_json(item) for path, item in _leaves(spec.root, ())},
        "included": {name: range_json(where) for name, where in spec.files.items()},
    }


def _mapping(item: Item, indent: str) -> Iterator[str]:
    assert isinstance(item.children, dict)
    for key, child in item.children.items():
        yield from _entry(f"{indent}{scalar(key)}:", child, indent)
    if item.unset:
        yield f"{indent}# not set: {', '.join(item.unset)}"


def _entry(start: str, item: Item, indent: str) -> Iterator[str]:
    """A key or a dash with what belongs to it."""
    if item.children is None:
        line = f"{start} {flow(item.value)}  # {_origin(item)}"
        hidden = f"{indent}# {line[len(indent) :]}, left out: it is set elsewhere"
        yield hidden if item.is_left_out else line
    elif isinstance(item.children, list):
        yield start
        for child in item.children:
            yield from _list_item(child, indent + "  ")
    elif not any(_is_written(child) for child in item.children.values()):
        # All of it is comment, and a key without a value would be a mistake.
        yield f"{indent}# {start.strip()}"
        yield from _mapping(item, indent + "  ")
    else:
        yield start
        yield from _mapping(item, indent + "  ")


def _list_item(item: Item, indent: str) -> Iterator[str]:
    if item.children is None:
        yield from _entry(f"{indent}-", item, indent)
        return
    first, *rest = _mapping(item, indent + "  ")
    yield f"{indent}- {first.lstrip()}"
    yield from rest


def _is_written(item: Item) -> bool:
    if item.children is None:
        return not item.is_left_out
    inner = item.children.values() if isinstance(item.children, dict) else item.children
    return any(map(_is_written, inner))


def _origin(item: Item) -> str:
    if item.place is None:
        return "default"
    place = f"{_comment(item.place.filename)}:{item.place.start.line}"
    return f"env {', '.join(item.variables)}, {place}" if item.variables else place


def _origin_json(item: Item) -> dict[str, Any]:
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


def _plain(item: Item) -> Any:
    if isinstance(item.children, dict):
        return {key: _plain(child) for key, child in item.children.items() if _is_written(child)}
    return item.value if item.children is None else [_plain(child) for child in item.children]


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar that is read back as it is: text in quotes where it could be taken for something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return "null" if value is None else repr(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + _ESCAPED.sub(lambda found: _escape(found[0]), value) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return "\\n" if char == "\n" else f"\\u{ord(char):04x}"


def _comment(text: str) -> str:
    """A file's name for a comment, which ends with its line."""
    return _ESCAPED.sub(lambda found: found[0] if found[0] in '"\\' else "\ufffd", text)
