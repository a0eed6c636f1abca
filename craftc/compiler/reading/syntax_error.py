"""Turns an error of the YAML parser into a diagnostic at the place where the mistake most likely is.

A parser stops where it cannot go on. The mistake is often further up: a bracket or a quote left open, a key
without its colon.
"""

import re
from collections.abc import Sequence

from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from craftc.compiler.reading.document import LINE_BREAK
from craftc.compiler.reading.odd_characters import visible
from craftc.schemas.diagnostic import Diagnostic, Edit, Fix, Position, Range, Related

_GLUED_KEY = r"\s*(?:-\s+)*(?P<key>[A-Za-z_]\w*):(?P<odd>[^\S \t\r\n]*)(?P<value>[^\s:/].*)"
"""Not `http://`, nor `package.module:Name` behind a key. What is odd looks like a space."""
_ASSIGNED_KEY = r"\s*(?:-\s+)*(?P<key>[A-Za-z_]\w*)(?P<sign>\s*=\s*)(?P<value>[^=\s].*)"
_BARE_KEY = r"\s*(?:-\s+)*(?P<key>[A-Za-z_]\w*)(?:\s+[^\s:#]+)?\s*(?:(?<=\s)#.*)?"
_AFTER_A_SLIP = ("mapping values are not allowed", "did not find expected key")
_ODD_INDENT = r" *[^\S \t\r\n]"
_CLOSING = {"{": "}", "[": "]"}
_KEY_HERE = ("no key can stand here", 'put a text with ": " in quotes, or mend the indent')
_WORDS = {
    "mapping values are not allowed": _KEY_HERE,
    "did not find expected key": ("expected a key", "begin it in the column of the keys above, or remove this"),
    "did not find expected '-'": ("expected a dash", "begin it in the column of the dashes above, or remove this"),
    "found unknown escape character": (
        "there is no such escape",
        "write two backslashes for one, or put the text in single quotes",
    ),
    "alphabetic or numeric character": ("the name of an anchor is of letters, digits, - and _", None),
    "found unexpected ':'": ("a space follows the colon of a key", None),
    "<document start>": ("the document has ended before this", None),
}
"""What libyaml says, or a part of it, in words that say what to do."""


def split_lines(text: str) -> list[str]:
    """The lines as YAML 1.2 counts them, and columns in them as our marks do: a byte order mark is none."""
    return LINE_BREAK.split(text.removeprefix("\ufeff"))


def syntax_error(error: Exception, text: str, filename: str, opened: Position | None) -> Diagnostic:
    """The diagnostic of what `yaml_events` raised. `opened` is the innermost bracket that is still open."""
    lines = split_lines(text)
    if isinstance(error, ReaderError):
        text = text.removeprefix("\ufeff")
        *before, last = split_lines(text[: error.position])
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        return _diagnostic(message, Position(line=len(before) + 1, column=len(last) + 1), filename)
    if not isinstance(error, MarkedYAMLError):  # of escapes beyond Unicode, that PyYAML's own parser reads
        return _diagnostic(str(error), Position(line=1, column=1), filename)
    found = _mark(error.problem_mark, lines) or _mark(error.context_mark, lines) or Position(line=1, column=1)
    context, problem = str(error.context or ""), str(error.problem or "")
    if "directive" in context + problem or "YAML document" in problem:
        return directive_error(lines, filename)
    if (reference := _reference(found, lines, filename)) is not None:
        return reference
    if opened is not None and (_is_end(found, lines) or _is_outside(found, opened, lines)):
        bracket = lines[opened.line - 1][opened.column - 1]
        hint = f"close it with {_CLOSING[bracket]}"
        return _diagnostic(f"this {bracket} is never closed", opened, filename, hint, [_still_open(found, filename)])
    began = _mark(error.context_mark, lines)
    if began is not None and "quoted scalar" in context and "end of stream" in problem:
        return _diagnostic("this quote is never closed", began, filename, "close it, on the same line if it can be")
    if any(words in problem for words in _AFTER_A_SLIP) and (above := _slip_above(found, lines, filename)) is not None:
        return above
    if began is not None and "simple key" in context:
        text_there = lines[began.line - 1][began.column - 1 :].strip()
        if (glued := _glued(began.line, lines, filename) or _assigned(began.line, lines, filename)) is not None:
            return glued
        end = Position(line=began.line, column=began.column + len(text_there))
        return _diagnostic("a key needs a colon behind it", began, filename, "write KEY: VALUE", end=end)
    character = lines[found.line - 1][found.column - 1 : found.column]
    if character == "\t":
        return _diagnostic("a tab does not indent", found, filename, "use spaces, not tabs")
    if "cannot start any token" in problem:
        return _diagnostic(f"no value begins with {character}", found, filename, "put it in quotes")
    words = next((words for known, words in _WORDS.items() if known in problem), None)
    message, advice = words or (_with_context(context, problem, began, found), None)
    return _diagnostic(message, found, filename, advice)


def _slip_above(found: Position, lines: Sequence[str], filename: str) -> Diagnostic | None:
    """The slip in the lines above that makes a key impossible in the line where the parser finds that.

    A key without its colon, or with no space behind it, goes on as text in the next line.
    """
    if (odd := re.match(_ODD_INDENT, lines[found.line - 1])) is not None:
        return _odd_indent(odd, found.line, filename)
    for number in range(found.line - 1, 0, -1):
        line = lines[number - 1]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (odd := re.match(_ODD_INDENT, line)) is not None:
            return _odd_indent(odd, number, filename)
        if (glued := _glued(number, lines, filename) or _assigned(number, lines, filename)) is not None:
            return glued
        bare = re.fullmatch(_BARE_KEY, line)
        if bare is not None and _indent(lines[found.line - 1]) >= _indent(line):
            start = Position(line=number, column=bare.start("key") + 1)
            end = Position(line=number, column=bare.end() + 1)
            return _diagnostic("a key needs a colon behind it", start, filename, "write KEY: VALUE", end=end)
        return None
    return None


def _glued(number: int, lines: Sequence[str], filename: str) -> Diagnostic | None:
    """A key in a line whose colon has no space behind it, which YAML reads as a text."""
    glued = re.match(_GLUED_KEY, lines[number - 1])
    if glued is None:
        return None
    start = Position(line=number, column=glued.start("key") + 1)
    end = Position(line=number, column=glued.end("key") + 2)
    behind = Range(filename=filename, start=end, end=Position(end.line, glued.end("odd") + 1))
    hint = f"write {glued['key']}: {glued['value'].split(' #')[0].strip()}"
    named = f", and no {visible(glued['odd'][0]).strip('<>')}" if glued["odd"] else ""
    found = _diagnostic(f"a space follows the colon of a key{named}", start, filename, hint, end=behind.end)
    return found._replace(fix=Fix("put a space behind the colon", (Edit(behind, " "),)))


def _assigned(number: int, lines: Sequence[str], filename: str) -> Diagnostic | None:
    """A line `epochs = 3`, which YAML reads as a text."""
    assigned = re.fullmatch(_ASSIGNED_KEY, lines[number - 1])
    if assigned is None:
        return None
    start, end = (Position(line=number, column=assigned.start(part) + 1) for part in ("key", "value"))
    sign = Range(filename=filename, start=Position(line=number, column=assigned.end("key") + 1), end=end)
    hint = f"write {assigned['key']}: {assigned['value'].split(' #')[0].strip()}"
    found = _diagnostic("a colon, and no =, stands behind a key", start, filename, hint, end=end)
    return found._replace(fix=Fix("put a colon behind the key", (Edit(sign, ": "),)))


def _reference(found: Position, lines: Sequence[str], filename: str) -> Diagnostic | None:
    """A text with ${...} within brackets or braces, where { begins a mapping unless the text is in quotes."""
    line = lines[found.line - 1]
    if line[found.column - 2 : found.column] != "${":
        return None
    start = max(
        (
            line.rfind(sign, 0, found.column - 1) + len(sign)
            for sign in (": ", ", ", "[", "{")
            if line.rfind(sign, 0, found.column - 1) >= 0
        ),
        default=0,
    )
    end = re.compile(r"(?:\$\{[^{}]*\}|[^,\[\]{}])*").match(line, start)
    text = line[start : end.end() if end else found.column].strip()
    if '"' in text or "}" not in text:
        return None
    start += len(line[start:]) - len(line[start:].lstrip())
    where = Range(
        filename=filename,
        start=Position(line=found.line, column=start + 1),
        end=Position(line=found.line, column=start + len(text) + 1),
    )
    message = "within braces or brackets a text with ${...} stands in quotes"
    return _diagnostic(message, where.start, filename, f'write "{text}"', end=where.end)


def _odd_indent(odd: re.Match[str], number: int, filename: str) -> Diagnostic:
    """A line that is indented by something else than spaces."""
    start = Position(line=number, column=odd.end())
    named = visible(odd[0][-1]).strip("<>")
    return _diagnostic(f"{named} does not indent", start, filename, "use spaces", end=Position(number, odd.end() + 1))


def directive_error(lines: Sequence[str], filename: str) -> Diagnostic:
    """A directive is refused, whatever it says; for most, libyaml only gives the start of the document, after them."""
    number, line = next((number, line) for number, line in enumerate(lines, start=1) if line.startswith("%"))
    where = Range(
        filename=filename,
        start=Position(line=number, column=1),
        end=Position(line=number, column=len(line) + 1),
    )
    message = "a YAML directive changes how the file is read; specs are YAML 1.2 without directives"
    return Diagnostic(code="yaml-directive", message=message, hint="remove the lines that start with %", range=where)


def _is_end(found: Position, lines: Sequence[str]) -> bool:
    """Whether nothing but comments stands behind a place."""
    rest = [lines[found.line - 1][found.column - 1 :], *lines[found.line :]]
    return all(not line.strip() or line.lstrip().startswith("#") for line in rest)


def _is_outside(found: Position, opened: Position, lines: Sequence[str]) -> bool:
    """Whether a line is no more indented than the one in which a bracket was opened, so that it is outside."""
    return found.line > opened.line and _indent(lines[found.line - 1]) <= _indent(lines[opened.line - 1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _mark(mark: object, lines: Sequence[str]) -> Position | None:
    """A parser's mark as a place in the text: libyaml's end of a text is a line behind its last."""
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    if line is None or column is None:
        return None
    if line >= len(lines):
        return Position(line=len(lines), column=len(lines[-1]) + 1)
    return Position(line=line + 1, column=column + 1)


def _still_open(found: Position, filename: str) -> Related:
    return Related(message="still open here", range=Range(filename=filename, start=found, end=found))


def _with_context(context: str, problem: str, began: Position | None, found: Position) -> str:
    """What the parser found and expected; and where that began, since the mistake may be there."""
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
