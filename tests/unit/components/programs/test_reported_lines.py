"""Lines with metrics are told from all others, however a program writes them."""

import io
import os
from pathlib import Path

import pytest

from craftc.components.programs.reported_lines import Appended, Printed, Report, read_report, reports


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ('{"step": 10, "valid/loss": 0.3}\n', Report({"valid/loss": 0.3}, 10)),
        ('  {"valid/loss": 0.3, "state": "a.bin"}', Report({"valid/loss": 0.3}, None, "a.bin")),
        ('{"test/loss": 1, "final": true}', Report({"test/loss": 1}, None, None, True)),
        ('{"valid/loss": 0.3, "los": 1}', Report({"valid/loss": 0.3, "los": 1})),
        ('{"event": "begin"}', None),
        ('{"valid/loss": 0.3', None),
        ('["valid/loss", 0.3]', None),
        ('"valid/loss"', None),
        ("epoch 3: valid/loss 0.3", None),
        ("{" * 100_000, None),
        ("", None),
    ],
)
def test_read_report(line: str, report: Report | None) -> None:
    assert read_report(line.encode()) == report


def _printed(content: bytes) -> tuple[Printed, io.StringIO]:
    read, write = os.pipe()
    to = io.StringIO()
    printed = Printed(os.fdopen(read, "rb"), to, is_metrics=True)
    with os.fdopen(write, "wb") as file:
        file.write(content)
    return printed, to


def test_text_is_passed_on_and_reports_are_not() -> None:
    printed, to = _printed(b'begin \xff\n{"a/b": 1}\nlast words\n\n{"a/b": 2}')
    assert printed.rest() == [Report({"a/b": 1}), Report({"a/b": 2})]
    assert to.getvalue() == "begin \ufffd\nlast words\n\n"
    assert printed.last == "last words"


def test_a_line_without_an_end_is_read_in_parts() -> None:
    printed, to = _printed(b"x" * 3_000_000 + b'\n{"a/b": 1}\n')
    assert printed.rest() == [Report({"a/b": 1})]
    assert len(to.getvalue()) == 3_000_001


def test_lines_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a/b": 0}\n')
    appended = Appended(path)
    assert appended.take(0.0) is None, "what was there before belongs to the run before"
    with path.open("a") as file:
        file.write('{"a/b": 1}\n{"a/b": 2}\n{"a/')
    assert appended.take(0.0) == Report({"a/b": 1})
    assert appended.take(0.0) == Report({"a/b": 2})
    assert appended.take(0.0) is None, "half a line is none"
    with path.open("a") as file:
        file.write('b": 3}')
    assert list(reports(lambda: True, appended)) == [Report({"a/b": 3})]


def test_a_file_that_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("a long line of an earlier run\n")
    appended = Appended(path)
    path.write_text('{"a/b": 1}\n')
    assert appended.take(0.0) == Report({"a/b": 1})


def test_a_file_that_is_never_written(tmp_path: Path) -> None:
    assert list(reports(lambda: True, Appended(tmp_path / "none"))) == []
