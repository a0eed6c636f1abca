"""Diagnostics as text, with the caret under what is meant, and as JSON that keeps the contract."""

import json
import unicodedata

import pytest

from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.render import render_json, render_text
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
    warning = mistake(1, 1, 2).model_copy(update={"severity": "warning"})
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
