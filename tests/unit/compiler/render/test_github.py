"""Workflow commands that GitHub's runner reads back as they were meant."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.render.github import render_github
from craftc.compiler.render.text import printable
from craftc.schemas.diagnostic import Diagnostic, Position, Range, Related, Severity

COMMAND = re.compile(r"::(?P<name>[a-z]+) (?P<properties>[^:]*)::(?P<message>.*)")


def mistake(
    start: tuple[int, int] = (2, 3), end: tuple[int, int] = (2, 6), filename: str = "x.yaml", message: str = "m"
) -> Diagnostic:
    first, last = (Position(line=line, column=column) for line, column in (start, end))
    return Diagnostic(code="some-code", message=message, range=Range(filename=filename, start=first, end=last))


def unescaped(text: str) -> str:
    for escape, char in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, char)
    return text


def read(line: str) -> tuple[str, dict[str, str], str]:
    """The command as the runner understands it."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    pairs = (pair.partition("=") for pair in found["properties"].split(","))
    return found["name"], {name: unescaped(value) for name, _, value in pairs}, unescaped(found["message"])


def test_a_mistake_is_an_annotation_of_its_range_with_the_last_column_in_it() -> None:
    assert render_github([mistake()], str) == (
        "::error file=x.yaml,line=2,endLine=2,col=3,endColumn=5,title=some-code::m"
    )


@pytest.mark.parametrize(("severity", "command"), [("error", "error"), ("warning", "warning"), ("note", "notice")])
def test_each_severity_has_its_command(severity: Severity, command: str) -> None:
    assert read(render_github([mistake()._replace(severity=severity)], str))[0] == command


def test_a_range_without_extent_is_one_column_and_one_of_several_lines_has_none() -> None:
    _, properties, _ = read(render_github([mistake(end=(2, 3))], str))
    assert (properties["col"], properties["endColumn"]) == ("3", "3")
    _, properties, _ = read(render_github([mistake(end=(4, 1))], str))
    assert (properties["line"], properties["endLine"]) == ("2", "4")
    assert not {"col", "endColumn"} & set(properties)


def test_the_hint_and_related_places_are_told_and_files_are_named_as_in_the_repository() -> None:
    related = (Related(message="included here", range=mistake(filename="spec.yaml").range),)
    given = mistake()._replace(hint="the mend", related=related)
    _, properties, message = read(render_github([given], lambda name: f"specs/{name}"))
    assert properties["file"] == "specs/x.yaml"
    assert message == "m; the mend\nspecs/spec.yaml:2:3: included here"


@given(st.text(), st.text(min_size=1))
def test_any_message_and_file_name_are_read_back(message: str, filename: str) -> None:
    line = render_github([mistake(filename=filename, message=message)], str)
    assert len(line.splitlines()) == 1
    name, properties, told = read(line)
    assert (name, told) == ("error", printable(message))
    assert properties["file"] == printable(filename)
