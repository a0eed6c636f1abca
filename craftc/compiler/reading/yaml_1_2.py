"""Refuses what libyaml reads otherwise than YAML 1.2, at its place: it follows YAML 1.1.

Of the public YAML test suite, what is left are lines that are indented too little within brackets and quotes, which
have one meaning all the same.
"""

import re
from collections.abc import Iterable, Sequence

from craftc.compiler.reading.document import Span

_PROPERTY_END = re.compile(r"[\s,\[\]{}]|\Z")
_HASH = re.compile(r"\S#")
_COMMENT = re.compile(r"#")

Misread = tuple[Span, str, str]
"""Where it stands, what is wrong with it, and the mend."""


def cut_anchor(anchor: str, line: int, column: int, lines: Sequence[str]) -> Misread | None:
    """An anchor or alias whose name goes on behind a character at which libyaml ends it, such as a colon.

    `line` and `column`, from 0, are where the anchor or a tag before it begins.
    """
    for number in range(line, len(lines)):
        text = lines[number]
        found = re.compile(f"[&*]{re.escape(anchor)}").search(text, column)
        if found is None:
            column = 0
            continue
        end = _PROPERTY_END.search(text, found.end())
        if end is None or end.start() == found.end():
            return None
        span = (number + 1, found.start() + 1, number + 1, end.start() + 1)
        whole = text[found.start() : end.start()]
        hint = f"write {found[0]}" if not whole.endswith(":") else f"a space before the colon: {found[0]} :"
        return span, f"the name of an anchor is of letters, digits, - and _, and {whole} has more", hint
    return None


def glued_comment(lines: Sequence[str], scalars: Iterable[tuple[Span, bool]]) -> Misread | None:
    """The first # that libyaml takes for a comment although no space stands before it.

    `scalars` are the spans of all scalars, each with whether it is a block, whose text begins in the line below.
    """
    covered: dict[int, list[tuple[int, int]]] = {}
    for (first, start, last, end), is_block in scalars:
        for number in range(first + 1 if is_block else first, last + 1):
            begin = start if number == first and not is_block else 1
            stop = end if number == last and not is_block else len(lines[number - 1]) + 1
            covered.setdefault(number, []).append((begin, stop))
    for number, text in enumerate(lines, start=1):
        if _HASH.search(text) is None:
            continue
        inside = covered.get(number, [])
        for found in _COMMENT.finditer(text):
            column = found.start() + 1
            if any(begin <= column < stop for begin, stop in inside):
                continue
            if found.start() and not text[found.start() - 1].isspace():
                hint = "a space stands before the # of a comment; a text with # stands in quotes"
                return (number, column, number, column + 1), "this # begins no comment", hint
            break
    return None
