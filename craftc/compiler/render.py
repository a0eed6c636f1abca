"""Diagnostics to text for people and JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from craftc.schemas.diagnostic import Diagnostic

FORMAT_VERSION = "1.0"
Style = Literal["error", "warning", "place", "caret", "hint"]


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
    place = paint(f"{diagnostic.range.filename}:{start.line}:{start.column}:", "place")
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]:", diagnostic.severity)
    hint = f"; {paint(diagnostic.hint, 'hint')}" if diagnostic.hint else ""
    lines = [f"{place} {severity} {diagnostic.message}{hint}"]
    source = text.splitlines()
    if start.line <= len(source):
        line = source[start.line - 1]
        width = end.column - start.column if end.line == start.line else len(line) - start.column + 1
        gutter = f"{start.line:>5} | "
        margin = "".join("\t" if char == "\t" else " " for char in line[: start.column - 1])
        lines.append(f"{gutter}{line}")
        lines.append(f"{' ' * (len(gutter) - 2)}| {margin}{paint('^' * max(1, width), 'caret')}")
    return "\n".join(lines)


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """The contract of `craftc lint --format json`."""
    return json.dumps(as_json(diagnostics), indent=2, ensure_ascii=False)


def as_json(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The same as a plain value."""
    num_errors = sum(d.severity == "error" for d in diagnostics)
    return {
        "format_version": FORMAT_VERSION,
        "valid": num_errors == 0,
        "error_count": num_errors,
        "warning_count": len(diagnostics) - num_errors,
        "diagnostics": [d.model_dump(mode="json") for d in diagnostics],
    }
