"""Holds a YAML document as a tree in which every value knows the place of its text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from craftc.schemas.diagnostic import Diagnostic, Path, Position, Range, Related, Severity, format_path

SPACE: Path = ("search", "space")
LINE_BREAK = re.compile("\r\n|\n|\r")
"""Between two lines, as YAML 1.2 counts them."""
Scalar = str | int | float | bool | None
Span = tuple[int, int, int, int]
"""Line and column where a text begins and where it ends, from 1, the end exclusive. Every value has one, and few are
reported: only for those is a `Range` made."""


def range_of(filename: str, span: Span) -> Range:
    """The same as it is told."""
    line, column, last, end = span
    return Range(filename=filename, start=Position(line=line, column=column), end=Position(line=last, column=end))


@dataclass(slots=True)
class Node:
    """A value and the span of its text, which stands in the file `filename`.

    `size` counts the nodes beneath it, itself included, and `depth` the levels, aliases expanded. `variables` are the
    environment variables that a text was made with. `is_flow`: a mapping or sequence in brackets.
    """

    value: "Scalar | list[Node] | dict[str, tuple[Node, Node]]"
    span: Span
    filename: str
    size: int = 1
    depth: int = 1
    variables: tuple[str, ...] = ()
    is_flow: bool = False

    @property
    def start(self) -> Position:
        """Where its text begins."""
        return Position(line=self.span[0], column=self.span[1])

    @property
    def end(self) -> Position:
        """Where its text ends, exclusive."""
        return Position(line=self.span[2], column=self.span[3])

    @property
    def range(self) -> Range:
        """Where its text stands; of a list or mapping, where it begins."""
        span = (*self.span[:2], *self.span[:2]) if isinstance(self.value, dict | list) else self.span
        return range_of(self.filename, span)

    def plain(self) -> Any:
        """The value as plain Python: None, bool, int, float, str, list and dict."""
        if isinstance(self.value, dict):
            return {key: value.plain() for key, (_, value) in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def entry(self, key: str) -> "Node | None":
        """The value of a key, where this is a mapping that has it."""
        return self.value[key][1] if isinstance(self.value, dict) and key in self.value else None

    def with_value(self, path: Path, value: "Node") -> "Node":
        """A copy in which another value stands at a path that is there; what an alias shares stays as it was."""
        if not path:
            return value
        first, rest = path[0], path[1:]
        copied: list[Node] | dict[str, tuple[Node, Node]]
        if isinstance(self.value, dict):
            key, old = self.value[str(first)]
            copied = {**self.value, str(first): (key, old.with_value(rest, value))}
        else:
            assert isinstance(self.value, list)
            assert isinstance(first, int)
            copied = [item.with_value(rest, value) if i == first else item for i, item in enumerate(self.value)]
        return replace(self, value=copied)


class SourceFile:
    """A text and its own tree, as it was before other files were put over or under it.

    `aliased` are the spans of what is used in several places, by alias or merge key. None of it is to be changed.
    """

    def __init__(self, text: str, root: Node, aliased: frozenset[Span]) -> None:
        self.text, self.root, self.aliased = text, root, aliased

    @cached_property
    def starts(self) -> Sequence[int]:
        """Where each line begins."""
        mark = len(self.text) - len(self.text.removeprefix("\ufeff"))
        return [mark, *(found.end() for found in LINE_BREAK.finditer(self.text))]

    def offset(self, position: Position) -> int:
        """The characters before a place."""
        return self.starts[position.line - 1] + position.column - 1

    def between(self, start: Position, end: Position) -> str:
        """The text from one place to another."""
        return self.text[self.offset(start) : self.offset(end)]

    def line(self, number: int) -> str:
        """A line by its number, from 1, with its line break; empty beyond the last."""
        if number > len(self.starts):
            return ""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's tree, in which parts may stand in other files. `included`: where each of those is named, by its name.

    `files` are the file itself and those others, by name.
    """

    filename: str
    root: Node
    included: Mapping[str, Range] = field(default_factory=dict)
    files: Mapping[str, SourceFile] = field(default_factory=dict)

    def locate(self, path: Path, *, key: bool = False) -> Range:
        """Where the value at `path` stands, or with `key` its key.

        A mapping or sequence that is not all in brackets on one line is shown by its key. Where the path leads past
        what is written (a missing key, a default), the nearest parent that is written is meant, and it by its key.
        """
        node, key_node, is_there = self.root, None, True
        for part in path:
            if isinstance(node.value, dict) and str(part) in node.value:
                key_node, node = node.value[str(part)]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                key_node, node = None, node.value[part]
            else:
                key, is_there = False, False
                break
        if key_node is None and node is self.root and isinstance(node.value, dict):
            return node.range
        is_short = is_there and node.is_flow and node.span[0] == node.span[2]
        by_key = key or (isinstance(node.value, dict | list) and not is_short)
        shown = key_node if key_node is not None and by_key else node
        return range_of(shown.filename, shown.span) if shown is node and is_short else shown.range

    def diagnose(
        self,
        code: str,
        path: Path,
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        severity: Severity = "error",
        related: tuple[Related, ...] = (),
        within: tuple[int, int] | None = None,
    ) -> Diagnostic:
        """A mistake at `path`; one in an included file also names the files that included it."""
        where = self.locate(path, key=key)
        if within is not None:
            where = self._narrow(where, path, within)
        return Diagnostic(
            severity=severity,
            code=code,
            message=message,
            hint=hint,
            path=format_path(path),
            range=where,
            related=(*related, *included_by(where.filename, self.included)),
        )

    def _narrow(self, where: Range, path: Path, within: tuple[int, int]) -> Range:
        """The part of a text, where each of its characters is written as itself in one line."""
        node = self.root
        for part in path:
            if isinstance(node.value, dict) and str(part) in node.value:
                node = node.value[str(part)][1]
            elif isinstance(node.value, list) and isinstance(part, int):
                node = node.value[part]
        width = where.end.column - where.start.column
        num_quotes = width - len(node.value) if isinstance(node.value, str) else -1
        if where.start.line != where.end.line or num_quotes not in (0, 2):
            return where
        first = where.start.column + num_quotes // 2
        line = where.start.line
        return Range(where.filename, Position(line, first + within[0]), Position(line, first + within[1]))


def included_by(filename: str, included: Mapping[str, Range]) -> tuple[Related, ...]:
    """Where a file is named, where the file that does so is named, and so on to the spec."""
    chain: list[Related] = []
    while filename in included and len(chain) < len(included):
        chain.append(Related(message="included here", range=included[filename]))
        filename = included[filename].filename
    return tuple(chain)
