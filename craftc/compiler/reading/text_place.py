"""A path of a tree to the text that stands there, in the file in which it does."""

from collections.abc import Mapping
from typing import NamedTuple

from craftc.compiler.reading.document import SPACE, Document, Node, SourceFile, Span
from craftc.schemas.diagnostic import Path

MAX_BESIDE = 2_000
"""Keys beside one that is mended, and aliases in its file; of more, nothing is mended, for each is looked at."""


class TextPlace(NamedTuple):
    """A value in its own file. `path` is its path there; `key` is None of an item of a list.

    `beside` are the entries of the mapping in which it stands in the whole document, those of other files among them.
    """

    file: SourceFile
    path: Path
    key: Node | None
    node: Node
    parent: Node
    beside: Mapping[str, tuple[Node, Node]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written there."""
        return self.node.value is None and (self.key is None or self.node.span == self.key.span)

    def text_of(self, node: Node) -> str:
        """As it is written; of a mapping or list in lines, up to its last value."""
        return self.file.between(node.start, node.end)

    def is_named_beside(self, name: str) -> bool:
        """Whether the mapping has a key of that name in this file already."""
        is_here = isinstance(self.parent.value, dict) and name in self.parent.value
        return is_here or (name in self.beside and self.beside[name][0].filename == self.node.filename)

    def last_line(self, node: Node) -> int:
        """The last line with text of a value."""
        return last_line(self.file, node)


def last_line(file: SourceFile, node: Node) -> int:
    """The last line with text of a value; the end of a block is that of its last scalar."""
    line, column = node.end
    return line - 1 if column == 1 and line > node.start.line else line


def find_place(document: Document, path: Path) -> TextPlace | None:
    """Where the value at a path is written; None where it is not, or where several places share it."""
    found = _look_up(document.root, path)
    if found is None:
        return None
    _, node, parent = found
    beside = parent.value if isinstance(parent.value, dict) else {}
    file = document.files.get(node.filename)
    if file is None or node.variables or len(beside) + len(file.aliased) > MAX_BESIDE:
        return None
    # In a search space by itself, what is at ("search", "space") of a spec stands at its top.
    ways = [path, path[len(SPACE) :]] if path[: len(SPACE)] == SPACE else [path]
    for way in ways:
        own = _look_up(file.root, way)
        if own is not None and own[1].span == node.span:
            key, written, parent = own
            spans = [written.span, *([key.span] if key is not None else [])]
            if any(_within(span, aliased) for aliased in file.aliased for span in spans):
                return None
            return TextPlace(file, way, key, written, parent, beside)
    return None


def _look_up(root: Node, path: Path) -> tuple[Node | None, Node, Node] | None:
    """The key at a path, its value, and what holds both. A component by its name alone is its own kind."""
    key: Node | None = None
    node = parent = root
    for index, part in enumerate(path):
        if isinstance(node.value, dict) and str(part) in node.value:
            parent, (key, node) = node, node.value[str(part)]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            parent, key, node = node, None, node.value[part]
        elif part == "kind" and index == len(path) - 1 and isinstance(node.value, str):
            return None, node, parent
        else:
            return None
    return (key, node, parent) if path else None


def _within(span: Span, outer: Span) -> bool:
    return outer[:2] <= span[:2] and span[2:] <= outer[2:]
