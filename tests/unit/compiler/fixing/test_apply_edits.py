"""Edits are made where they say, in a text as it is, and those that meet are kept apart."""

import pytest

from craftc.compiler.fixing.apply_edits import apart, apply_edits
from craftc.schemas.diagnostic import Edit, Fix, Position, Range


def edit(line: int, start: int, end: int, text: str) -> Edit:
    return Edit(Range("x.yaml", Position(line, start), Position(line, end)), text)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_places_count_characters_of_lines(mark: str, newline: str) -> None:
    text = f"{mark}漢字: a{newline}b: \u2028c{newline}"
    edits = [edit(2, 4, 5, "x\ny"), edit(1, 1, 3, "é"), edit(3, 1, 1, "end")]
    assert apply_edits(text, edits) == f"{mark}é: a{newline}b: x{newline}yc{newline}end"
    assert apply_edits(text, []) == text


def test_of_fixes_that_meet_the_first_is_made() -> None:
    first = Fix("first", (edit(1, 1, 3, ""), edit(2, 5, 5, "x")))
    touching = Fix("touching", (edit(1, 3, 4, ""),))
    at_the_same_place = Fix("at the same place", (edit(2, 5, 5, "y"),))
    around = Fix("around", (edit(2, 1, 9, ""),))
    apart_from_it = Fix("apart from it", (edit(1, 5, 6, ""), edit(2, 6, 7, "")))
    assert apart([around, apart_from_it, at_the_same_place, touching, first]) == [first, apart_from_it]
