"""Parses YAML text into a tree of values with their places, or reports why it cannot be read.

The tree is built from the parser's events and not by a loader: a loader resolves tags, accepts any of them, and
forgets where scalars ended.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from craftc.compiler.reading.document import Document, Node, Scalar, SourceFile, Span, range_of
from craftc.compiler.reading.loose_commas import (
    are_bare,
    braces_for_brackets,
    is_decimal_comma,
    is_listed,
    join_decimals,
    join_list,
)
from craftc.compiler.reading.plain_scalar import plain_scalar
from craftc.compiler.reading.problem import MAX_TOLD, show
from craftc.compiler.reading.syntax_error import directive_error, split_lines, syntax_error
from craftc.compiler.reading.yaml_events import is_for_libyaml, yaml_events
from craftc.schemas.diagnostic import Diagnostic, Position

MAX_BYTES = 1 << 20
MAX_SLOW = 1 << 18
"""Characters of a text that a parser in Python has to read, which takes up to some seconds for a megabyte."""
MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_DIRECTIVES = 16
"""All are refused; of very many only the first is reported, since libyaml compares each with those before it."""
MAX_EXPANDED_NODES = 200_000

_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
"""What JSON writes for one character beyond U+FFFF: two escapes, which YAML reads one by one."""
_NO_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Control characters, which steer a terminal, and halves of characters."""
# What may stand before a value's own text: an anchor, a tag (refused elsewhere), and what parts them from it.
_PROPERTY = re.compile(r"([&!][^\s,\[\]{}]*)[ \t]*")
_INDENT = re.compile(r"[ \t]*")

Place = tuple[int, int]
"""Line and column, from 1."""


class _RefusedError(Exception):
    """The document cannot be read further."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    start: Place
    anchor: str | None
    is_mapping: bool
    is_flow: bool
    items: list[Node] = field(default_factory=list)


def parse(text: str, filename: str) -> tuple[Document | None, list[Diagnostic]]:
    """Read one document. The tree is None where the text is no YAML or goes beyond the bounds above."""
    if len(text.encode("utf-8", errors="surrogatepass")) > MAX_BYTES:
        where = range_of(filename, _FIRST)
        message = f"the file is larger than {MAX_BYTES >> 20} MiB; a spec is a page of text"
        return None, [Diagnostic(code="document-too-large", message=message, range=where)]
    if len(text) > MAX_SLOW and not is_for_libyaml(text):
        message = f"a file with escapes such as \\ud83d, or read without libyaml, has at most {MAX_SLOW >> 10} KiB"
        return None, [Diagnostic(code="document-too-large", message=message, range=range_of(filename, _FIRST))]
    builder = _Builder(text, filename)
    if sum(line.startswith("%") for line in builder.lines) > MAX_DIRECTIVES:
        return None, [directive_error(builder.lines, filename)]
    try:
        for event in yaml_events(text):
            builder.take(event)
    except _RefusedError as refused:
        builder.diagnostics.append(refused.diagnostic)
        return None, builder.diagnostics
    except (YAMLError, ValueError, OverflowError) as error:  # the last two of escapes beyond Unicode
        found = syntax_error(error, text, filename, builder.open_bracket)
        # What was misread there already has led to it.
        if all(other.range.start.line != found.range.start.line for other in builder.diagnostics):
            builder.diagnostics.append(found)
        return None, builder.diagnostics
    if builder.root is None:
        where = range_of(filename, _FIRST)
        builder.diagnostics.append(Diagnostic(code="empty-document", message="the file holds no spec", range=where))
        return None, builder.diagnostics
    builder.check_comments()
    files = {filename: SourceFile(text, builder.root, frozenset(builder.aliased))}
    return Document(filename, builder.root, files=files), builder.diagnostics


_FIRST: Span = (1, 1, 1, 1)


def _has_glued_hash(text: str) -> bool:
    """Whether a # stands behind something else than a space, so that it may be taken for a comment's."""
    return any(before and not before[-1].isspace() for before in text.split("#")[:-1])


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


class _Builder:
    """Takes events in order and holds what has come of them."""

    def __init__(self, text: str, filename: str) -> None:
        self.lines = split_lines(text)
        self.filename = filename
        self.root: Node | None = None
        self.diagnostics: list[Diagnostic] = []
        self.aliased: set[Span] = set()
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._num_nodes = 0
        self._num_expanded = 0
        self._num_documents = 0
        self._last_end: Place = (1, 1)
        self._scalars: list[tuple[Span, bool]] | None = [] if _has_glued_hash(text) else None
        self._of_anchor = ""  # what libyaml puts before a value, of the name of its anchor
        self._take: dict[type, Callable[[Any], None]] = {
            DocumentStartEvent: self._start_document,
            MappingStartEvent: self._start_collection,
            SequenceStartEvent: self._start_collection,
            MappingEndEvent: self._end_collection,
            SequenceEndEvent: self._end_collection,
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
        }

    @property
    def open_bracket(self) -> Position | None:
        """Where the innermost list or mapping in brackets begins that has not ended yet."""
        starts = (opened.start for opened in reversed(self._open) if opened.is_flow)
        # A pair in a list, [a: 1], is a mapping without brackets of its own.
        start = next((start for start in starts if self.lines[start[0] - 1][start[1] - 1] in "{["), None)
        return None if start is None else Position(line=start[0], column=start[1])

    def take(self, event: Any) -> None:
        """Handle one event of the parser."""
        take = self._take.get(type(event))
        if take is not None:
            take(event)

    def check_comments(self) -> None:
        """Report a # that is taken for a comment and, by YAML 1.2, is none."""
        if self._scalars is not None:
            from craftc.compiler.reading.yaml_1_2 import glued_comment  # seldom needed, as below

            self._misread(glued_comment(self.lines, self._scalars))

    def _check_anchor(self, event: Any) -> None:
        from craftc.compiler.reading.yaml_1_2 import cut_anchor

        found = cut_anchor(event.anchor, event.start_mark.line, event.start_mark.column, self.lines)
        self._misread(found)
        if found is not None:
            (line, start, _, end), *_ = found
            self._of_anchor = self.lines[line - 1][start + len(event.anchor) : end - 1]

    def _misread(self, found: tuple[Span, str, str] | None) -> None:
        if found is not None:
            span, message, hint = found
            self._report("yaml-syntax", f"not YAML: {message}", span, hint)

    def _report(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self._tell(Diagnostic(code=code, message=message, hint=hint, range=range_of(self.filename, span)))

    def _tell(self, diagnostic: Diagnostic) -> None:
        if len(self.diagnostics) == MAX_TOLD:
            raise _RefusedError(diagnostic)
        self.diagnostics.append(diagnostic)

    def _refuse(self, code: str, message: str, event: Any) -> _RefusedError:
        where = range_of(self.filename, (*_place(event.start_mark), *_place(event.end_mark)))
        return _RefusedError(Diagnostic(code=code, message=message, range=where))

    def _start_document(self, event: Any) -> None:
        self._num_documents += 1
        if self._num_documents > 1:
            raise self._refuse("several-documents", "a file holds one spec; this starts a second document", event)
        if event.version is not None or event.tags:
            self._tell(directive_error(self.lines, self.filename))

    def _count(self, event: Any, size: int = 1) -> None:
        self._num_nodes += 1
        self._num_expanded += size
        if self._num_nodes > MAX_NODES:
            raise self._refuse("document-too-large", f"more than {MAX_NODES:,} values in one file", event)
        if self._num_expanded > MAX_EXPANDED_NODES:
            message = f"aliases expand to more than {MAX_EXPANDED_NODES:,} values"
            raise self._refuse("document-too-large", message, event)

    def _own_start(self, event: Any) -> Place:
        """Where a value's own text begins, behind its anchor and tag; a tag is reported here."""
        if event.anchor is None and event.tag is None:
            return _place(event.start_mark)
        line, column = event.start_mark.line, event.start_mark.column
        if event.anchor is not None:
            self._check_anchor(event)
        first, last = line, min(event.end_mark.line, len(self.lines) - 1)
        for line in range(first, last + 1):
            text = self.lines[line]
            while (found := _PROPERTY.match(text, column)) is not None:
                if found[0].startswith("!"):
                    message = f"the tag {show(found[1])} is not allowed; a spec is plain data"
                    span = (line + 1, column + 1, line + 1, found.end(1) + 1)
                    self._report("yaml-tag", message, span, "remove the tag")
                column = found.end()
            if column < len(text) and text[column] != "#":
                return line + 1, column + 1
            column = _INDENT.match(self.lines[line + 1]).end() if line + 1 < len(self.lines) else 0  # type: ignore[union-attr]
        return _place(event.end_mark)

    def _start_collection(self, event: Any) -> None:
        self._count(event)
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse("document-too-large", f"nested more than {MAX_DEPTH} levels deep", event)
        is_mapping = type(event) is MappingStartEvent
        self._open.append(_Open(self._own_start(event), event.anchor, is_mapping, bool(event.flow_style)))

    def _end_collection(self, event: Any) -> None:
        opened = self._open.pop()
        size = 1 + sum(item.size for item in opened.items)
        depth = 1 + max((item.depth for item in opened.items), default=0)
        if depth > MAX_DEPTH:
            raise self._refuse("document-too-large", f"aliases nest more than {MAX_DEPTH} levels deep", event)
        value: Any = opened.items
        if opened.is_mapping:
            keys, values = opened.items[::2], opened.items[1::2]
            if opened.is_flow and are_bare(self.lines, keys, values):
                self._tell(braces_for_brackets(self.filename, (*opened.start, *_place(event.end_mark))))
                value = keys
            else:
                value = self._mapping(opened.items)
        # A block ends with the last of its items; the parser's mark is that of whatever comes next.
        self._last_end = end = _place(event.end_mark) if opened.is_flow else self._last_end
        span = (*opened.start, *end)
        self._add(Node(value, span, self.filename, size, depth, is_flow=opened.is_flow), opened.anchor)

    def _scalar(self, event: Any) -> None:
        self._count(event)
        self._of_anchor = ""
        span = self._span(event)
        if self._of_anchor:
            event.value = event.value.removeprefix(self._of_anchor).lstrip()
        if self._scalars is not None:
            self._scalars.append((span, event.style in ("|", ">")))
        plain = event.implicit[0] and event.tag is None
        if event.value == "-" and plain and self._open and self._open[-1].is_flow:
            message = "not YAML: a dash alone is no value in brackets"
            self._report("yaml-syntax", message, span, "put it in quotes, or remove it")
        # A tag is one error. The value is read as if it had none, so that no second error follows.
        tagged = event.tag is not None and not event.style and not event.tag.endswith((":str", "!"))
        value = self._resolve(event.value, span) if plain or tagged else event.value
        if isinstance(value, str) and not value.isascii() and _SURROGATES.search(value):
            value = _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), value)
        if isinstance(value, str) and (odd := _NO_TEXT.search(value)):
            message = f"not YAML: the escape stands for U+{ord(odd[0]):04X}, which no text of a spec can hold"
            self._report("yaml-syntax", message, span, "remove it")
            value = _NO_TEXT.sub("", value)
        self._add(Node(value, span, self.filename), event.anchor)

    def _span(self, event: Any) -> Span:
        """Where a scalar's text stands. An empty value has none: its key is shown, or its dash."""
        opened = self._open[-1] if self._open else None
        start = self._own_start(event)
        is_plain = event.style not in ("'", '"', "|", ">")
        if event.value == "" and is_plain and opened is not None:
            if opened.is_mapping and len(opened.items) % 2:
                return opened.items[-1].span
            if not opened.is_mapping and not opened.is_flow:
                return self._dash(event)
        end = _place(event.end_mark)
        if end < start:  # nothing stands behind an anchor or a tag
            start = end
        if event.style in ("|", ">"):
            first = start[0] - 1
            last = next((at for at in range(end[0] - 2, first, -1) if self.lines[at].strip()), first)
            end = last + 1, len(self.lines[last].rstrip()) + 1
        self._last_end = end
        return *start, *end

    def _dash(self, event: Any) -> Span:
        line, column = event.start_mark.line, event.start_mark.column
        before = self.lines[line].rfind("-", 0, column) if line < len(self.lines) else -1
        column = before if before >= 0 else column
        self._last_end = line + 1, column + 2
        return line + 1, column + 1, *self._last_end

    def _resolve(self, text: str, span: Span) -> Scalar:
        value, wrong = plain_scalar(text)
        if wrong is not None:
            self._report("number-out-of-range", wrong, span)
        return value

    def _alias(self, event: Any) -> None:
        self._check_anchor(event)
        if any(opened.anchor == event.anchor for opened in self._open):
            raise self._refuse("yaml-alias", f"the alias *{event.anchor} stands inside what it names", event)
        if event.anchor not in self._anchors:
            raise self._refuse("yaml-alias", f"there is no anchor &{event.anchor} before this alias", event)
        node = self._anchors[event.anchor]
        self._count(event, node.size)
        self.aliased.add(node.span)
        self._last_end = _place(event.end_mark)
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _pairs(self, items: list[Node]) -> list[tuple[Node, Node]]:
        """Keys and values; numbers that only commas part from a value are one list with it."""
        found: list[tuple[Node, Node, list[Node]]] = []
        for key, value in zip(items[::2], items[1::2], strict=True):
            if found and is_listed(self.lines, found[-1][1], key, value):
                found[-1][2].append(key)
            else:
                found.append((key, value, []))
        for _, value, more in found:
            if more:
                self._tell(join_list(self.lines, value, more))
        return [(key, value) for key, value, _ in found]

    def _mapping(self, items: list[Node]) -> dict[str, tuple[Node, Node]]:
        entries: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        merge_key: Node | None = None
        before: Node | None = None
        for key, value in self._pairs(items):
            if key.value == "<<":
                if merge_key is not None:
                    message = f'the key "<<" stands twice in one mapping, first in line {merge_key.span[0]}'
                    self._report("duplicate-key", message, key.span, "write one: <<: [*FIRST, *SECOND]")
                merge_key = key
                merged += value.value if isinstance(value.value, list) else [value]
            elif before is not None and is_decimal_comma(self.lines, before, key, value):
                self._tell(join_decimals(self.lines, before, key))
            elif not isinstance(key.value, str):
                shown = "a list or mapping" if isinstance(key.value, list | dict) else show(key.value)
                self._report("key-not-text", f"a key must be text, not {shown}", key.span, "put it in quotes")
            elif key.value in entries:
                first = entries[key.value][0].span[0]
                message = f'the key "{key.value}" stands twice in one mapping, first in line {first}'
                self._report("duplicate-key", message, key.span, "keep one of the two")
            else:
                entries[key.value] = (key, value)
            before = value
        for base in merged:
            if not isinstance(base.value, dict):
                self._report("yaml-merge", "<< takes a mapping or a list of mappings", base.span)
                continue
            for name, entry in base.value.items():
                entries.setdefault(name, entry)
        return entries
