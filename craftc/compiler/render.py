"""Diagnostics to text for people and JSON for programs."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from craftc.schemas.diagnostic import Diagnostic

FORMAT_VERSION = "1.0"
Style = Literal["error", "warning", "note", "place", "caret", "hint"]
# A tab stays: the margin under it is a tab too. Direction marks would turn the line around over its caret.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|\n|\r")


def plain(text: str, style: Style) -> str:
    """No colour."""
    return text


def render_text(
    diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], paint: Callable[[str, Style], str] = plain
) -> str:
    """One block for each diagnostic: place, code and message, then the line of the file with a caret under it.

    `texts` holds the files' contents by name; `paint` may colour a piece of text.
    """
    return "\n".join(_block(diagnostic, texts.get(diagnostic.range.filename, ""), paint) for diagnostic in diagnostics)


def _block(diagnostic: Diagnostic, text: str, paint: Callable[[str, Style], str]) -> str:
    start, end = diagnostic.range.start, diagnostic.range.end
    place = paint(f"{_printable(diagnostic.range.filename)}:{start.line}:{start.column}:", "place")
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]:", diagnostic.severity)
    hint = f"; {paint(_printable(diagnostic.hint), 'hint')}" if diagnostic.hint else ""
    lines = [f"{place} {severity} {_printable(diagnostic.message)}{hint}"]
    source = _LINE_BREAK.split(text)
    if text and start.line <= len(source):
        line = source[start.line - 1]
        before, rest = line[: start.column - 1], line[start.column - 1 :]
        marked = rest[: end.column - start.column] if end.line == start.line else rest
        gutter = f"{start.line:>5} | "
        margin = "".join("\t" if char == "\t" else " " * _width(char) for char in before)
        caret = paint("^" * max(1, sum(map(_width, marked))), "caret")
        lines.append(f"{gutter}{_printable(line)}")
        lines.append(f"{' ' * (len(gutter) - 2)}| {margin}{caret}")
    for related in diagnostic.related:
        where, begin = _printable(related.range.filename), related.range.start
        lines.append(f"      = {paint(f'{where}:{begin.line}:{begin.column}:', 'place')} {_printable(related.message)}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """Text that neither steers a terminal nor fails to be encoded: each character that would is shown as one mark."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _width(char: str) -> int:
    """The columns of a terminal that a character takes; Unicode Standard Annex 11."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """The contract of `craftc lint --format json`."""
    return json.dumps(as_json(diagnostics), indent=2, ensure_ascii=False)


def as_json(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The same as a plain value."""
    num_errors = sum(d.severity == "error" for d in diagnostics)
    num_warnings = sum(d.severity == "warning" for d in diagnostics)
    return {
        "format_version": FORMAT_VERSION,
        "valid": num_errors == 0,
        "error_count": num_errors,
        "warning_count": num_warnings,
        "diagnostics": [d.model_dump(mode="json", exclude=None if d.related else {"related"}) for d in diagnostics],
    }
