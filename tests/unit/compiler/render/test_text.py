"""Diagnostics as text, with the caret under what is meant, and as JSON that keeps the contract."""

import json
import unicodedata

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.render.text import WIDTH, render_json, render_text
from craftc.schemas.diagnostic import Diagnostic, Position, Range


def mistake(line: int, start: int, end: int, message: str = "m", hint: str | None = None) -> Diagnostic:
    where = Range(filename="x.yaml", start=Position(line=line, column=start), end=Position(line=line, column=end))
    return Diagnostic(code="some-code", message=message, hint=hint, path="a.b", range=where)


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


@pytest.mark.parametrize("before", ["a: ", "漢字: ", "e\u0301: ", "🙂, ", "\ta: \t", "\uff46: "])
@pytest.mark.parametrize("meant", ["x", "xyz", "漢字", "e\u0301e"])
def test_the_caret_is_under_the_text(before: str, meant: str) -> None:
    line = f"{before}{meant} # rest"
    block = render_text([mistake(1, len(before) + 1, len(before) + len(meant) + 1)], {"x.yaml": line})
    _, shown, carets = block.split("\n")
    assert shown.endswith(line)
    gutter = shown.index(line)
    margin = carets[gutter:].rstrip("^")
    assert [c for c in margin if c == "\t"] == [c for c in before if c == "\t"]
    assert width(margin.replace("\t", "")) == width(before.replace("\t", ""))
    assert carets.count("^") == width(meant)


def test_the_first_line_is_place_severity_code_message_and_hint() -> None:
    text = render_text([mistake(2, 3, 4, "what is wrong", "the mend")], {"x.yaml": "a\n  b\n"})
    assert text == "x.yaml:2:3: error[some-code]: what is wrong; the mend\n    2 |   b\n      |   ^"


def test_a_range_without_a_text_has_no_snippet() -> None:
    assert render_text([mistake(1, 1, 1)], {}) == "x.yaml:1:1: error[some-code]: m"
    assert render_text([mistake(9, 1, 1)], {"x.yaml": "a"}) == "x.yaml:9:1: error[some-code]: m"


@pytest.mark.parametrize("odd", ["\x1b[31m", "\x07", "\ud800", "\u202e", "\r", "\x85"])
def test_nothing_in_a_spec_can_steer_the_terminal(odd: str) -> None:
    text = render_text([mistake(1, 1, 2, f"is {odd}")], {"x.yaml": f"a{odd}b"})
    text.encode()
    assert odd[0] not in text


def test_lines_are_those_of_yaml() -> None:
    text = "craftc: 1\ndescription: a\u2028b\nseed: -1\n"
    found = next(d for d in analyse(text, "x.yaml", built_in_catalogue()).diagnostics if d.path == "seed")
    assert "    3 | seed: -1\n      |       ^^" in render_text([found], {"x.yaml": text})


def test_json_keeps_the_contract() -> None:
    warning = mistake(1, 1, 2)._replace(severity="warning")
    found = json.loads(render_json([mistake(12, 3, 12, "m", "h"), warning]))
    assert {key: found[key] for key in ("format_version", "valid", "error_count", "warning_count")} == {
        "format_version": "1.0",
        "valid": False,
        "error_count": 1,
        "warning_count": 1,
    }
    assert found["diagnostics"][0] == {
        "severity": "error",
        "code": "some-code",
        "message": "m",
        "hint": "h",
        "path": "a.b",
        "range": {"filename": "x.yaml", "start": {"line": 12, "column": 3}, "end": {"line": 12, "column": 12}},
    }
    assert json.loads(render_json([warning]))["valid"] is True


def cut(line: str, start: int, end: int, columns: int) -> tuple[str, str]:
    """The line shown and what stands over its carets."""
    block = render_text([mistake(1, start + 1, end + 1)], {"x.yaml": line}, width=columns)
    _, shown, carets = block.split("\n")
    assert max(width(shown.expandtabs()), width(carets.expandtabs())) <= columns
    first = carets.index("^")
    over = [char for char in shown if not unicodedata.combining(char)]
    wide = "".join(char * width(char) for char in over)
    return shown[shown.index("|") + 2 :], wide[first : first + carets.count("^")]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("start", [0, 5, 1500, 2990, 2997])
def test_a_long_line_is_cut_around_the_caret(columns: int, start: int) -> None:
    line = "a" * start + "XYZ" + "b" * (2997 - start)
    shown, marked = cut(line, start, start + 3, columns)
    assert marked == "XYZ"
    assert shown.startswith("...") == (start > 5)
    assert shown.endswith("...") == (start < 2990)
    assert len(shown) > columns / 2


def test_wide_characters_are_counted_where_a_line_is_cut() -> None:
    shown, marked = cut("漢" * 500 + "字" + "漢" * 500, 500, 501, 60)
    assert marked == "字字"
    assert width(shown) > 40


def test_what_is_meant_may_be_longer_than_the_terminal() -> None:
    shown, marked = cut("k: " + "x" * 3000, 3, 3003, 80)
    assert shown.startswith("k: x")
    assert set(marked.rstrip(".")) == {"x"}


def test_a_tab_counts_as_many_columns_as_it_may_take() -> None:
    assert cut("\t" * 30 + "x" + "\t" * 30, 30, 31, 60)[1] == "x"


def test_a_line_that_fits_is_left_as_it_is() -> None:
    line = "a: " + "x" * (WIDTH - 11)
    assert f"| {line}\n" in render_text([mistake(1, 1, 2)], {"x.yaml": line})
    assert f"| {line}" not in render_text([mistake(1, 1, 2)], {"x.yaml": line + "x"})
