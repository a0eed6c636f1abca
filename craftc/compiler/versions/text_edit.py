"""A YAML text and a change to one of its keys in; the text with that change, every other byte as it was, out.

The text is cut at the positions of our own tree. ruamel's round-trip loader would write the whole file anew: it evens
out spaces and flow mappings, and gives the comment above a key to the key before it, with which it moves or goes.
"""

import re
from dataclasses import dataclass

from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.parse import parse
from craftc.schemas.diagnostic import Path, Position, format_path

_NEWLINE = re.compile("\r\n|\n|\r")
INDENT = 2


class EditError(ValueError):
    """The text is written in a way that this change cannot be made in without touching more than it should."""


@dataclass(frozen=True)
class Entry:
    """A key and its value in a text. `lines` are its first and its last line, comments right above included.

    `value` is the value as written, and `comments` what stands beside and above the key.
    """

    path: Path
    key: Node
    node: Node
    parent: Node
    lines: tuple[int, int]
    value: str
    comments: tuple[str, ...]
    is_flow: bool


class Text:
    """A text beside its tree."""

    def __init__(self, text: str) -> None:
        document, diagnostics = parse(text, "")
        if document is None or diagnostics or not isinstance(document.root.value, dict):
            raise EditError("the text is no mapping")
        self.text = text
        self.document: Document = document
        breaks = list(_NEWLINE.finditer(text))
        self.newline = breaks[0][0] if breaks else "\n"
        self.starts = [0, *(match.end() for match in breaks)]

    def offset(self, position: Position) -> int:
        return self.starts[position.line - 1] + position.column - 1

    def line(self, number: int) -> str:
        """A line by its number, from 1, with its line break."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end]

    def between(self, start: Position, end: Position) -> str:
        return self.text[self.offset(start) : self.offset(end)]

    def splice(self, start: int, end: int, text: str) -> str:
        return self.text[:start] + text + self.text[end:]

    def is_flow(self, node: Node) -> bool:
        return self.text[self.offset(node.start) :].startswith(("{", "["))

    def find(self, path: Path) -> Entry | None:
        """The entry at a path that ends with a key; None where there is none."""
        node = parent = self.document.root
        key: Node | None = None
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                parent, (key, node) = node, node.value[str(part)]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                parent, key, node = node, None, node.value[part]
            else:
                return None
        return None if key is None else self._entry(path, key, node, parent)

    def _entry(self, path: Path, key: Node, node: Node, parent: Node) -> Entry:
        is_flow = self.is_flow(parent)
        last = self.last_line(key, node)
        first = key.start.line
        above: list[str] = []
        while not is_flow and first > 1 and self._is_comment(first - 1, key.start.column):
            first -= 1
            above.insert(0, self.line(first).strip())
        end = node.end if not isinstance(node.value, dict | list) or self.is_flow(node) else None
        value = self.between(node.start, end) if end is not None and node.value is not None else ""
        anchor = self.text.find("&", self.offset(key.end), self.offset(node.start))
        if value and anchor >= 0:  # stands before the value, and goes where it goes
            value = self.text[anchor : self.offset(node.start)] + value
        beside = "" if is_flow or end is None else self.line(last)[end.column - 1 :].strip()
        comments = (*above, *([beside] if beside.startswith("#") else []))
        return Entry(path, key, node, parent, (first, last), value, comments, is_flow)

    def _is_comment(self, number: int, column: int) -> bool:
        """Whether a line is a comment about the key below it, which begins in the same column."""
        line = self.line(number)
        return (
            line.startswith("#", column - 1) and not line[: column - 1].strip() and "yaml-language-server" not in line
        )

    def last_line(self, key: Node, node: Node) -> int:
        """The last line with text of a value."""
        if isinstance(node.value, dict) and node.value and not self.is_flow(node):
            return max(self.last_line(*entry) for entry in node.value.values())
        if isinstance(node.value, list) and node.value and not self.is_flow(node):
            return max(self.last_line(item, item) for item in node.value)
        # The end of a block scalar is where the next thing begins.
        last = node.end.line - 1 if node.end.column == 1 and node.end.line > node.start.line else node.end.line
        while last > key.start.line and not self.line(last).strip():
            last -= 1
        return last


def rename(text: str, path: Path, name: str) -> str:
    """Another name for the key at a path."""
    given = Text(text)
    entry = _needed(given, path)
    return given.splice(given.offset(entry.key.start), given.offset(entry.key.end), name)


def replace(text: str, path: Path, written: str) -> str:
    """Another scalar at a path."""
    given = Text(text)
    entry = _needed(given, path)
    if isinstance(entry.node.value, dict | list) or not entry.value:
        raise EditError(f"{format_path(path)} is no scalar")
    return given.splice(given.offset(entry.node.start), given.offset(entry.node.end), written)


def remove(text: str, path: Path) -> str:
    """Without the key at a path, nor the mapping that held nothing else."""
    given = Text(text)
    entry = _needed(given, path)
    assert isinstance(entry.parent.value, dict)
    if len(entry.parent.value) == 1 and len(path) > 1:
        return remove(text, path[:-1])
    if entry.is_flow:
        return _without_flow_entry(given, entry)
    if given.line(entry.key.start.line)[: entry.key.start.column - 1].strip():
        raise EditError(f"{format_path(path)} shares its line with what it stands in")
    end = given.starts[entry.lines[1]] if entry.lines[1] < len(given.starts) else len(text)
    return given.splice(given.starts[entry.lines[0] - 1], end, "")


def _without_flow_entry(given: Text, entry: Entry) -> str:
    """Cut it up to the next one, or from the end of the one before it."""
    assert isinstance(entry.parent.value, dict)
    entries = list(entry.parent.value.values())
    index = next(i for i, (key, _) in enumerate(entries) if key is entry.key)
    start, end = given.offset(entry.key.start), given.offset(entry.node.end)
    if index + 1 < len(entries):
        end = given.offset(entries[index + 1][0].start)
    elif index:
        start = given.offset(entries[index - 1][1].end)
    if "#" in given.text[start:end].replace(entry.value, ""):
        raise EditError(f"a comment stands within the mapping around {format_path(entry.path)}")
    return given.splice(start, end, "")


def insert(text: str, path: Path, value: str, comments: tuple[str, ...] = ()) -> str:
    """A new last key with a value as written, on one line or as the lines of a block; comments stand above it."""
    given = Text(text)
    parent = given.find(path[:-1]) if len(path) > 1 else None
    if len(path) > 1 and parent is None:
        return insert(
            text, path[:-1], f"{{{path[-1]}: {value}}}" if "\n" not in value else _nested(path, value), comments
        )
    node = given.document.root if parent is None else parent.node
    if isinstance(node.value, str) and parent is not None:
        # A component that is written by its name alone.
        named = f"{{kind: {parent.value}, {path[-1]}: {_flow(value)}}}"
        start, end = given.offset(node.start), given.offset(node.end)
        return _comment_above(given.splice(start, end, named), path[:-1], comments)
    if not isinstance(node.value, dict) or not node.value:
        raise EditError(f"{format_path(path[:-1])} is no mapping with keys")
    *_, (last_key, last) = node.value.values()
    if given.is_flow(node):
        end = given.offset(last.end)
        return _comment_above(given.splice(end, end, f", {path[-1]}: {_flow(value)}"), path[:-1], comments)
    column = last_key.start.column - 1
    number = given.last_line(last_key, last)
    end = given.starts[number] if number < len(given.starts) else len(text)
    lines = [*comments, *f"{path[-1]}:{'' if value.startswith(chr(10)) else ' '}{value}".split("\n")]
    block = "".join(f"{' ' * column}{line}{given.newline}" if line else given.newline for line in lines)
    missing = "" if given.text[:end].endswith(("\n", "\r")) else given.newline
    return given.splice(end, end, missing + block)


def _nested(path: Path, value: str) -> str:
    indented = re.sub(r"\n(?=.)", "\n" + " " * INDENT, value)
    return f"\n{' ' * INDENT}{path[-1]}:{indented}"


def _flow(value: str) -> str:
    if "\n" in value or "#" in value:
        raise EditError("a block does not fit into a mapping in braces")
    return value


def _comment_above(text: str, path: Path, comments: tuple[str, ...]) -> str:
    """Comments have no place in a mapping on one line, so they stand above it."""
    given = Text(text)
    entry = _needed(given, path)
    number = entry.lines[0]
    own = given.line(number)
    margin = own[: len(own) - len(own.lstrip())]
    start = given.starts[number - 1]
    return given.splice(start, start, "".join(f"{margin}{comment}{given.newline}" for comment in comments))


def move(text: str, path: Path, to: Path) -> str:
    """What stands at a path at another one, with its comments."""
    if path[:-1] == to[:-1]:
        return rename(text, path, str(to[-1]))
    given = Text(text)
    entry = _needed(given, path)
    is_block = isinstance(entry.node.value, dict | list) and not given.is_flow(entry.node)
    lines = [given.line(number).rstrip("\r\n") for number in range(entry.key.start.line, entry.lines[1] + 1)]
    value = entry.value
    if is_block or "\n" in value or (value == "" and entry.node.value is not None):
        column = entry.key.start.column - 1
        if any(line[:column].strip() for line in lines):
            raise EditError(f"{format_path(path)} shares its lines with what it stands in")
        first = given.line(entry.key.start.line)[entry.key.end.column - 1 :].strip().removeprefix(":").strip()
        value = "\n".join([first and f" {first}", *(line[column:] for line in lines[1:])]).strip(" ")
    comments = entry.comments if not is_block else tuple(c for c in entry.comments if c not in value)
    # In this order, since a mapping that was emptied would be gone.
    return remove(insert(text, to, value, comments), path)


def _needed(given: Text, path: Path) -> Entry:
    entry = given.find(path)
    if entry is None:
        raise EditError(f"{format_path(path)} is not there")
    return entry
