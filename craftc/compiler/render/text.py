"""Writes diagnostics as text for people and as JSON for programs."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from craftc.schemas.diagnostic import Diagnostic, diagnostic_json
from craftc.secret_text import masked

FORMAT_VERSION = "1.0"
Style = Literal["error", "warning", "note", "place", "caret", "hint"]
# A tab stays: the margin under it is a tab too. Direction marks would turn the line around over its caret, and what has
# no width could not be seen over it.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_LINE_BREAK = re.compile("\r\n|\n|\r")
WIDTH = 160
"""Columns that a line of the file may take with its number, where no terminal says; a longer one is cut."""
_CUT = "..."
_TAB = 8


def plain(text: str, style: Style) -> str:
    """No colour."""
    return text


def render_text(
    diagnostics: Sequence[Diagnostic],
    texts: Mapping[str, str],
    paint: Callable[[str, Style], str] = plain,
    width: int = WIDTH,
    *,
    marks_fixes: bool = False,
) -> str:
    """One block for each diagnostic: place, code and message, then the line of the file with a caret under it.

    `texts` holds the files' contents by name; `paint` may colour a piece of text. Of a line of the file that takes more
    than `width` columns, the part around the caret is shown. With `marks_fixes`, what has a fix is marked.
    """
    lines = {name: _LINE_BREAK.split(text) for name, text in texts.items() if text}
    return "\n".join(
        _block(diagnostic, lines.get(diagnostic.range.filename, []), paint, width, marks_fixes)
        for diagnostic in diagnostics
    )


def _block(
    diagnostic: Diagnostic,
    source: Sequence[str],
    paint: Callable[[str, Style], str],
    width: int,
    marks_fixes: bool,
) -> str:
    start = diagnostic.range.start
    place = paint(f"{printable(diagnostic.range.filename)}:{start.line}:{start.column}:", "place")
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]:", diagnostic.severity)
    hint = f"; {paint(printable(diagnostic.hint), 'hint')}" if diagnostic.hint else ""
    mark = f" {paint('[--fix]', 'hint')}" if marks_fixes and diagnostic.fix is not None else ""
    lines = [f"{place} {severity} {printable(diagnostic.message)}{hint}{mark}"]
    if start.line <= len(source) and diagnostic.shows_line:
        lines += _snippet(masked(source[start.line - 1], keep_length=True), diagnostic, paint, width)
    for related in diagnostic.related:
        where, begin = printable(related.range.filename), related.range.start
        lines.append(f"      = {paint(f'{where}:{begin.line}:{begin.column}:', 'place')} {printable(related.message)}")
    return "\n".join(lines)


def _snippet(line: str, diagnostic: Diagnostic, paint: Callable[[str, Style], str], width: int) -> list[str]:
    """The line of the file, and the caret under what is meant in it."""
    start, end = diagnostic.range.start, diagnostic.range.end
    gutter = f"{start.line:>5} | "
    stop = end.column - 1 if end.line == start.line else len(line)
    shown, first, last = _around(line, min(start.column - 1, len(line)), stop, max(width - len(gutter), 3 * len(_CUT)))
    margin = "".join("\t" if char == "\t" else " " * _width(char) for char in shown[:first])
    caret = paint("^" * max(1, sum(map(_width, shown[first:last]))), "caret")
    return [f"{gutter}{printable(shown)}", f"{' ' * (len(gutter) - 2)}| {margin}{caret}"]


def _around(line: str, first: int, last: int, columns: int) -> tuple[str, int, int]:
    """What of a line fits into so many columns, and where in that the characters from `first` to `last` stand.

    A third of the columns is left for what stands before them. Only so much of the line is looked at as could be
    shown, since a file may be one line.
    """
    begin, end = max(0, first - columns), first + columns
    if begin == 0 and end >= len(line) and sum(map(_columns, line)) <= columns:
        return line, first, last
    room = columns - 2 * len(_CUT)
    begin = first - _num_fitting(reversed(line[begin:first]), room // 3)
    end = first + _num_fitting(line[first:end], room - sum(map(_columns, line[begin:first])))
    if end == len(line):
        begin = end - _num_fitting(reversed(line[max(0, end - columns) : end]), room)
    before = _CUT if begin else ""
    shown = before + line[begin:end] + (_CUT if end < len(line) else "")
    return shown, first - begin + len(before), min(last, end) - begin + len(before)


def _num_fitting(chars: Iterable[str], columns: int) -> int:
    number = 0
    for char in chars:
        columns -= _columns(char)
        if columns < 0:
            break
        number += 1
    return number


def _columns(char: str) -> int:
    return _TAB if char == "\t" else _width(char)


def printable(text: str) -> str:
    """Text that neither steers a terminal nor fails to be encoded: each character that would is shown as one mark.
    Nor does it show a secret: three stars stand for one."""
    return _UNPRINTABLE.sub("\ufffd", masked(text))


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
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in diagnostics],
    }
