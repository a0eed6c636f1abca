"""Numbers with commas between them in a mapping: `0,001`, `{8, 8}`, `lr: 0.1, 0.01` -> what they are meant to be.

To YAML each comma ends a pair, so that the numbers behind it are keys without values. Each slip is reported once, and
reading goes on with what is meant. `lines` are those of the text.
"""

from collections.abc import Sequence

from craftc.compiler.reading.document import Node, Span, range_of
from craftc.schemas.diagnostic import Diagnostic, Edit, Fix


def is_decimal_comma(lines: Sequence[str], before: Node, key: Node, value: Node) -> bool:
    """Whether a key is what stands behind the comma of a number such as 0,001, and `before` what stands before it."""
    first, second = (isinstance(node.value, int | float) for node in (before, key))
    line, column, last, _ = key.span
    is_glued = before.span[2:] == (line, column - 1) and line == last and before.span[0] == line
    if not (first and second and is_glued and value.value is None and value.span == key.span):
        return False
    return lines[line - 1][column - 1].isdigit() and lines[line - 1][column - 2 : column - 1] == ","


def join_decimals(lines: Sequence[str], before: Node, key: Node) -> Diagnostic:
    """Make `before` the number that is meant."""
    from craftc.compiler.reading.meant_number import decimal_comma

    line, start, end = before.span[0], before.span[1], key.span[3]
    written = lines[line - 1][start - 1 : end - 1]
    span = (line, start, line, end)
    mend, where = decimal_comma(written), range_of(before.filename, span)
    fix = Fix(f"write {mend.sure}", (Edit(where, mend.sure),)) if mend.sure else None
    before.value, before.span = mend.value, span
    message = f"a comma parts the values of a mapping, so {written} is no number"
    return Diagnostic(code="key-not-text", message=message, hint=mend.hint, range=where, fix=fix)


def are_bare(lines: Sequence[str], keys: Sequence[Node], values: Sequence[Node]) -> bool:
    """Whether all that stands between braces are numbers without a colon; there is one at least."""
    return bool(keys) and all(_is_bare(lines, key, value) for key, value in zip(keys, values, strict=True))


def braces_for_brackets(filename: str, span: Span) -> Diagnostic:
    """Of `{8, 8}`, from brace to brace."""
    line, column, last, behind = span
    braces = ((line, column, line, column + 1), "["), ((last, behind - 1, last, behind), "]")
    edits = tuple(Edit(range_of(filename, place), text) for place, text in braces)
    message, hint = "a mapping in braces has keys with values, and these are values alone", "a list stands in brackets"
    fix = Fix("write brackets", edits)
    return Diagnostic(code="key-not-text", message=message, hint=hint, range=range_of(filename, span), fix=fix)


def is_listed(lines: Sequence[str], before: Node, key: Node, value: Node) -> bool:
    """Whether a number without a key follows a value that is one in its line, as in `lr: 0.1, 0.01`."""
    is_there = _is_number(before) and key.span[0] == before.span[2] and _is_bare(lines, key, value)
    return is_there and not is_decimal_comma(lines, before, key, value)


def join_list(lines: Sequence[str], before: Node, listed: Sequence[Node]) -> Diagnostic:
    """Make `before` the list that is meant."""
    span = (*before.span[:2], *listed[-1].span[2:])
    written = lines[span[0] - 1][span[1] - 1 : span[3] - 1]
    first = Node(before.value, before.span, before.filename)
    before.value, before.span = [first, *listed], span
    message = f"a comma parts the keys of a mapping, so {written} is no list"
    hint = f"a list stands in brackets: [{written}]"
    return Diagnostic(code="key-not-text", message=message, hint=hint, range=range_of(before.filename, span))


def _is_bare(lines: Sequence[str], key: Node, value: Node) -> bool:
    """Whether a key is a number that stands without a colon."""
    behind = lines[key.span[2] - 1][key.span[3] - 1 :].lstrip()[:1]
    return _is_number(key) and value.value is None and value.span == key.span and behind != ":"


def _is_number(node: Node) -> bool:
    return isinstance(node.value, int | float) and not isinstance(node.value, bool)
