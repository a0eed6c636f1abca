"""Writes diagnostics as GitHub's workflow commands, which annotate the lines of a pull request."""

from collections.abc import Callable, Sequence

from craftc.compiler.render.text import printable
from craftc.schemas.diagnostic import Diagnostic

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render_github(diagnostics: Sequence[Diagnostic], name_of: Callable[[str], str]) -> str:
    """One line for each diagnostic; `name_of` gives a file's name as the repository has it.

    docs.github.com/actions/reference/workflow-commands-for-github-actions; what GitHub means by `endColumn` is the last
    column and not the one behind it, and it takes columns only where a range ends in the line in which it starts.
    """
    return "\n".join(_command(diagnostic, name_of) for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic, name_of: Callable[[str], str]) -> str:
    start, end = diagnostic.range.start, diagnostic.range.end
    properties: dict[str, object] = {
        "file": printable(name_of(diagnostic.range.filename)),
        "line": start.line,
        "endLine": end.line,
    }
    if start.line == end.line:
        properties |= {"col": start.column, "endColumn": max(start.column, end.column - 1)}
    properties["title"] = diagnostic.code
    given = ",".join(f"{name}={_escape_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {given}::{_escape(_message(diagnostic, name_of))}"


def _message(diagnostic: Diagnostic, name_of: Callable[[str], str]) -> str:
    hint = f"; {printable(diagnostic.hint)}" if diagnostic.hint else ""
    lines = [printable(diagnostic.message) + hint]
    for related in diagnostic.related:
        begin = related.range.start
        where = f"{printable(name_of(related.range.filename))}:{begin.line}:{begin.column}"
        lines.append(f"{where}: {printable(related.message)}")
    return "\n".join(lines)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
