"""What ruamel.yaml says of a text that is no YAML -> a diagnostic at the place where the mistake most likely is.

A parser stops where it cannot go on. What has to be mended is often further up: a bracket or a quote left open, a key
without its colon.
"""

import re
from collections.abc import Sequence

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from craftc.schemas.diagnostic import Diagnostic, Position, Range, Related

_LINE_BREAK = re.compile("\r\n|\n|\r")
_CLOSING = {"{": "}", "[": "]"}


def split_lines(text: str) -> list[str]:
    """The lines as ruamel counts them, and columns in them as it counts those: a byte order mark is none."""
    return _LINE_BREAK.split(text.removeprefix("\ufeff"))


def syntax_error(error: Exception, text: str, filename: str, opened: Position | None) -> Diagnostic:
    """The diagnostic of a YAMLError or ValueError of ruamel. `opened` is the innermost bracket that is still open."""
    if isinstance(error, ReaderError):
        *_, last = lines = split_lines(text[: error.position])
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        return _diagnostic(message, Position(line=len(lines), column=len(last) + 1), filename)
    if not isinstance(error, MarkedYAMLError):  # ruamel raises ValueError on some odd escapes and directives
        return _diagnostic(str(error), Position(line=1, column=1), filename)
    lines = split_lines(text)
    found = _mark(error.problem_mark) or _mark(error.context_mark) or Position(line=1, column=1)
    context, problem = str(error.context or ""), str(error.problem or "")
    if opened is not None and (problem.endswith("'<stream end>'") or _is_outside(found, opened, lines)):
        bracket = lines[opened.line - 1][opened.column - 1]
        hint = f"close it with {_CLOSING[bracket]}"
        return _diagnostic(f"this {bracket} is never closed", opened, filename, hint, [_still_open(found, filename)])
    began = _mark(error.context_mark)
    if began is not None and "quoted scalar" in context and "end of stream" in problem:
        return _diagnostic("this quote is never closed", began, filename, "close it, on the same line if it can be")
    if began is not None and "simple key" in context:
        text_there = lines[began.line - 1][began.column - 1 :].strip()
        end = Position(line=began.line, column=began.column + len(text_there))
        return _diagnostic("a key needs a colon behind it", began, filename, "write KEY: VALUE", end=end)
    advice = "use spaces, not tabs" if "'\\t'" in problem else None
    return _diagnostic(_with_context(context, problem, began, found), found, filename, advice)


def _is_outside(found: Position, opened: Position, lines: Sequence[str]) -> bool:
    """Whether a line is no more indented than the one in which a bracket was opened, so that it is outside."""
    return found.line > opened.line and _indent(lines[found.line - 1]) <= _indent(lines[opened.line - 1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _mark(mark: object) -> Position | None:
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    return None if line is None or column is None else Position(line=line + 1, column=column + 1)


def _still_open(found: Position, filename: str) -> Related:
    return Related(message="still open here", range=Range(filename=filename, start=found, end=found))


def _with_context(context: str, problem: str, began: Position | None, found: Position) -> str:
    """What ruamel found and expected; and where that began, since the mistake may be there."""
    if not context:
        return problem
    line = f" that begins in line {began.line}" if began is not None and began.line != found.line else ""
    return f"{context}{line} {problem}".rstrip()


def _diagnostic(
    message: str,
    start: Position,
    filename: str,
    hint: str | None = None,
    related: Sequence[Related] = (),
    *,
    end: Position | None = None,
) -> Diagnostic:
    where = Range(filename=filename, start=start, end=end or start)
    return Diagnostic(
        code="yaml-syntax", message=f"not YAML: {message}", hint=hint, range=where, related=tuple(related)
    )
