"""Roles of a table's columns: those that are said, those that are guessed, and which guesses are doubtful."""

from collections.abc import Sequence

import pytest

from craftc.compiler.data_files.column_roles import Role
from craftc.compiler.data_files.table_columns import columns_of, doubts, guess

MANY = 30
GUESSES: list[tuple[str, list[str], Role, str]] = [
    ("hp", [f"{n * 7.5}" for n in range(MANY)], "number", ""),
    ("price", [f"{n * 1371 + 900:,}" for n in range(MANY)], "number", ""),
    ("hp", ["1.5", "", "NA", "?", "2"], "number", ""),
    ("bit", ["0", "1"] * MANY, "number", ""),
    ("cyl", ["4", "6", "8"] * MANY, "number", "3 different whole numbers"),
    ("row", [str(n) for n in range(100, 100 + MANY)], "id", "counts the rows"),
    ("zip", ["01234", "10115"] * MANY, "category", ""),
    ("maker", ["ford", "vw", ""] * MANY, "category", ""),
    ("note", [f"car {n}" for n in range(MANY)], "ignore", "30 of 30 cells differ"),
    ("built", ["2020-01-02", "", "2021-05-06"], "date", ""),
    ("sold", ["25/12/2020", "1/2/2021"], "date", ""),
    ("sold", ["3/4/2020", "1/2/2021"], "date", "day_first"),
    ("hp", ["12", "13", "15", "11", "12", "13", "oops"], "number", '"oops" is none'),
    ("empty", ["", "NA"], "ignore", "none of its first 2 cells"),
    ("", ["5", "9", "1"], "ignore", ""),
    ("Unnamed: 0", ["5", "9", "1"], "ignore", ""),
]


@pytest.mark.parametrize(("name", "cells", "role", "doubt"), GUESSES)
def test_roles_are_guessed_by_the_first_cells(name: str, cells: list[str], role: str, doubt: str) -> None:
    found = guess(name, cells)
    assert (found.role, found.guessed) == (role, True)
    assert doubt in found.doubt
    assert bool(found.doubt) == bool(doubt)


def test_more_rows_than_those_guessed_by_change_nothing() -> None:
    numbers = [f"{n}.5" for n in range(500)]
    assert guess("a", [*numbers, "word"]) == guess("a", numbers)


def roles(cells: Sequence[Sequence[str]], **arguments: object) -> dict[str, str]:
    names = [chr(ord("a") + index) for index in range(len(cells))]
    return {column.name: column.role for column in columns_of(names, cells, {"target": "a", **arguments})}


def test_what_is_said_is_no_guess_and_what_is_no_feature_is_no_input() -> None:
    cells = [["x", "y"], ["1", "2"], ["3", "4"]]
    assert roles(cells, columns={"b": "category"}) == {"a": "category", "b": "category", "c": "number"}
    assert roles(cells, columns="infer", features=["c"]) == {"a": "category", "b": "ignore", "c": "number"}
    left_out = roles([*cells, ["5", "6"]], columns={"b": "category", "d": "group"}, features=["c"])
    assert left_out == {"a": "category", "b": "ignore", "c": "number", "d": "group"}
    # Without roles, gaps alone are filled: all inputs are numbers, whatever they look like.
    assert roles([["x"], ["word"]], columns="none", impute="median") == {"a": "category", "b": "number"}


def test_a_target_with_fractions_is_a_quantity() -> None:
    assert roles([["1.5", "2"], ["1", "2"]], columns="infer")["a"] == "number"
    assert roles([["1", "2"], ["1", "2"]], columns="infer")["a"] == "category"
    assert roles([["1.5", "2"], ["1", "2"]], columns={"a": "category"})["a"] == "category"


def test_doubts_are_one_warning_with_the_words_to_write() -> None:
    columns = [guess("cyl", ["4", "6", "8"] * MANY), guess("row", [str(n) for n in range(MANY)]), guess("x", ["1.5"])]
    [problem] = doubts(columns)
    assert (problem.code, problem.severity) == ("column-doubtful", "warning")
    assert "columns: {cyl: number, row: id}" in (problem.hint or "")
    assert doubts([columns[2]]) == []
