"""YAML text to a tree of values and positions, or the mistakes that keep it from being read.

The tree is built from the parser's events and not by a loader: a loader resolves tags, accepts any of them, and
forgets where scalars ended. Scalars follow the core schema of YAML 1.2.2, section 10.3.2.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from craftc.compiler.document import Document, Node, Scalar
from craftc.schemas.diagnostic import Diagnostic, Position, Range

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_EXPANDED_NODES = 200_000

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Only escapes can write these; neither files nor terminals nor paths can hold them.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|\n|\r")


class _RefusedError(Exception):
    """The document cannot be read further."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass
class _Open:
    """A mapping or sequence whose end has not come yet."""

    start: Any
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)


def parse(text: str, filename: str) -> tuple[Document | None, list[Diagnostic]]:
    """Read one document. The tree is None where the text is no YAML or goes beyond the bounds above."""
    if len(text.encode("utf-8", errors="surrogatepass")) > MAX_BYTES:
        where = Range(filename=filename, start=_FIRST, end=_FIRST)
        message = f"the file is larger than {MAX_BYTES >> 20} MiB; a spec is a page of text"
        return None, [Diagnostic(code="document-too-large", message=message, range=where)]
    builder = _Builder(text, filename)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except _RefusedError as refused:
        builder.diagnostics.append(refused.diagnostic)
        return None, builder.diagnostics
    except (YAMLError, ValueError) as error:  # ruamel raises ValueError on some odd escapes and directives
        builder.diagnostics.append(_syntax_error(error, text, filename))
        return None, builder.diagnostics
    if builder.root is None:
        where = Range(filename=filename, start=_FIRST, end=_FIRST)
        builder.diagnostics.append(Diagnostic(code="empty-document", message="the file holds no spec", range=where))
        return None, builder.diagnostics
    return Document(filename, builder.root), builder.diagnostics


_FIRST = Position(line=1, column=1)


def _position(mark: Any) -> Position:
    return Position(line=mark.line + 1, column=mark.column + 1)


def _syntax_error(error: Exception, text: str, filename: str) -> Diagnostic:
    start = _FIRST
    message = str(error)
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            start = _position(mark)
        message = _with_context(error, start)
    elif isinstance(error, ReaderError):
        *_, last = lines = _LINE_BREAK.split(text[: error.position])
        start = Position(line=len(lines), column=len(last) + 1)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
    hint = "indent with spaces, not with tabs" if "'\\t'" in message else None
    where = Range(filename=filename, start=start, end=start)
    return Diagnostic(code="yaml-syntax", message=f"not YAML: {message}", hint=hint, range=where)


def _with_context(error: MarkedYAMLError, start: Position) -> str:
    """What ruamel found and expected; and where that began, since the mistake is often there: a bracket left open."""
    if not error.context:
        return str(error.problem)
    began = error.context_mark
    line = f" that begins in line {began.line + 1}" if began is not None and began.line + 1 != start.line else ""
    return f"{error.context}{line} {error.problem}" if error.problem else f"{error.context}{line}"


class _Builder:
    """Takes events in order and holds what has come of them."""

    def __init__(self, text: str, filename: str) -> None:
        self.text = text
        self.filename = filename
        self.root: Node | None = None
        self.diagnostics: list[Diagnostic] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._num_nodes = 0
        self._num_documents = 0

    def take(self, event: Any) -> None:
        """Handle one event of the parser."""
        match type(event).__name__:
            case "DocumentStartEvent":
                self._start_document(event)
            case "MappingStartEvent" | "SequenceStartEvent":
                self._start_collection(event)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._end_collection(event)
            case "ScalarEvent":
                self._scalar(event)
            case "AliasEvent":
                self._alias(event)

    def _report(self, code: str, message: str, start: Position, end: Position, hint: str | None = None) -> Diagnostic:
        where = Range(filename=self.filename, start=start, end=end)
        diagnostic = Diagnostic(code=code, message=message, hint=hint, range=where)
        self.diagnostics.append(diagnostic)
        return diagnostic

    def _refuse(self, code: str, message: str, event: Any) -> _RefusedError:
        where = Range(filename=self.filename, start=_position(event.start_mark), end=_position(event.end_mark))
        return _RefusedError(Diagnostic(code=code, message=message, range=where))

    def _start_document(self, event: Any) -> None:
        self._num_documents += 1
        if self._num_documents > 1:
            raise self._refuse("several-documents", "a file holds one spec; this starts a second document", event)
        if event.version is not None or event.tags:
            message = "a YAML directive changes how the file is read; specs are YAML 1.2 without directives"
            # The event tells where the document starts, which is after its directives.
            lines = _LINE_BREAK.split(self.text)
            first = next(i for i, line in enumerate(lines) if line.lstrip("\ufeff").startswith("%"))
            start = Position(line=first + 1, column=1)
            self._report("yaml-directive", message, start, start, "remove the lines that start with %")

    def _check_node(self, event: Any) -> None:
        self._num_nodes += 1
        if self._num_nodes > MAX_NODES:
            raise self._refuse("document-too-large", f"more than {MAX_NODES:,} values in one file", event)
        if event.tag is not None:
            start, end = _position(event.start_mark), _position(event.end_mark)
            message = f"the tag {event.tag} is not allowed; a spec is plain data"
            self._report("yaml-tag", message, start, end, "remove the tag")

    def _start_collection(self, event: Any) -> None:
        self._check_node(event)
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse("document-too-large", f"nested more than {MAX_DEPTH} levels deep", event)
        self._open.append(_Open(event.start_mark, event.anchor, type(event).__name__ == "MappingStartEvent"))

    def _end_collection(self, event: Any) -> None:
        opened = self._open.pop()
        size = 1 + sum(item.size for item in opened.items)
        if size > MAX_EXPANDED_NODES:
            message = f"aliases expand to more than {MAX_EXPANDED_NODES:,} values"
            raise self._refuse("document-too-large", message, event)
        depth = 1 + max((item.depth for item in opened.items), default=0)
        if depth > MAX_DEPTH:
            raise self._refuse("document-too-large", f"aliases nest more than {MAX_DEPTH} levels deep", event)
        value = self._mapping(opened.items) if opened.is_mapping else list(opened.items)
        node = Node(value, _position(opened.start), _position(event.end_mark), self.filename, size, depth)
        self._add(node, opened.anchor)

    def _scalar(self, event: Any) -> None:
        self._check_node(event)
        start, end = _position(event.start_mark), _position(event.end_mark)
        plain = event.implicit[0] and event.tag is None
        value = self._resolve(event.value, start, end) if plain else event.value
        opened = self._open[-1] if self._open else None
        if event.value == "" and plain and opened and opened.is_mapping and len(opened.items) % 2:
            # An empty value has no text of its own, and its mark is that of whatever comes next: show its key.
            start, end = opened.items[-1].start, opened.items[-1].end
        if isinstance(value, str) and (odd := _NO_TEXT.search(value)):
            message = f"not YAML: the escape stands for U+{ord(odd[0]):04X}, which no text can hold"
            self._report("yaml-syntax", message, start, end, "remove it")
            value = _NO_TEXT.sub("", value)
        self._add(Node(value, start, end, self.filename), event.anchor)

    def _resolve(self, text: str, start: Position, end: Position) -> Scalar:
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _INT.fullmatch(text):
            # int() refuses digits by the thousand; 25 characters are beyond 64 bits already.
            number = 2**63 if len(text) > 25 else int(text, 10 if text.lstrip("+-").isdigit() else 0)
            if -(2**63) <= number < 2**63:
                return number
            self._report("number-out-of-range", f"{text[:30]} does not fit 64 bits", start, end)
            return 0
        if _FLOAT.fullmatch(text):
            if math.isfinite(decimal := float(text)):
                return decimal
            self._report("number-out-of-range", f"{text[:30]} is beyond the largest number", start, end)
            return 0.0
        if _NON_FINITE.fullmatch(text):
            self._report("number-out-of-range", f"{text} is not a finite number", start, end)
            return 0.0
        return text

    def _alias(self, event: Any) -> None:
        self._num_nodes += 1
        if any(opened.anchor == event.anchor for opened in self._open):
            raise self._refuse("yaml-alias", f"the alias *{event.anchor} stands inside what it names", event)
        if event.anchor not in self._anchors:
            raise self._refuse("yaml-alias", f"there is no anchor &{event.anchor} before this alias", event)
        self._add(self._anchors[event.anchor], None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _mapping(self, items: list[Node]) -> dict[str, tuple[Node, Node]]:
        entries: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key, value in zip(items[::2], items[1::2], strict=True):
            if key.value == "<<":
                merged += value.value if isinstance(value.value, list) else [value]
            elif not isinstance(key.value, str):
                shown = "a list or mapping" if isinstance(key.value, list | dict) else f"{key.value}"
                self._report("key-not-text", f"a key must be text, not {shown}", key.start, key.end, "put it in quotes")
            elif key.value in entries:
                first = entries[key.value][0].start.line
                message = f'the key "{key.value}" stands twice in one mapping, first in line {first}'
                self._report("duplicate-key", message, key.start, key.end, "keep one of the two")
            else:
                entries[key.value] = (key, value)
        for base in merged:
            if not isinstance(base.value, dict):
                self._report("yaml-merge", "<< takes a mapping or a list of mappings", base.start, base.end)
                continue
            for name, entry in base.value.items():
                entries.setdefault(name, entry)
        return entries
