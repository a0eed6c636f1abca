"""Edits to a text: those that can be made together, and the text that comes of them."""

from collections.abc import Iterable, Sequence

from craftc.compiler.reading.document import LINE_BREAK
from craftc.schemas.diagnostic import Edit, Fix, Position


def apart(fixes: Iterable[Fix]) -> list[Fix]:
    """The fixes of one file that do not meet, the first of those that do; the others are for another round."""
    chosen: list[Fix] = []
    taken: list[Edit] = []
    for fix in sorted(fixes, key=lambda each: each.edits[0].range[1:]):
        if not any(_meet(edit, other) for edit in fix.edits for other in taken):
            chosen.append(fix)
            taken += fix.edits
    return chosen


def _meet(one: Edit, other: Edit) -> bool:
    """Whether two stretches have a character in common, or begin or end at the same place."""
    (_, start, end), (_, begin, stop) = one.range, other.range
    return start <= stop and begin <= end


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits that do not overlap. Line breaks are put in as those that the text has."""
    breaks = list(LINE_BREAK.finditer(text))
    newline = breaks[0][0] if breaks else "\n"
    starts = [len(text) - len(text.removeprefix("\ufeff")), *(found.end() for found in breaks)]

    def offset(place: Position) -> int:
        return starts[place.line - 1] + place.column - 1

    pieces, end = [], 0
    for edit in sorted(edits, key=lambda each: each.range[1:]):
        pieces += [text[end : offset(edit.range.start)], edit.text.replace("\n", newline)]
        end = offset(edit.range.end)
    return "".join([*pieces, text[end:]])
