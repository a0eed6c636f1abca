"""A spec in another version of the language is refused as a whole, at the line that says so."""

from pathlib import Path

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic


def diagnosed(text: str, filename: str = "spec.yaml") -> tuple[Diagnostic, ...]:
    return analyse(text, filename, built_in_catalogue()).diagnostics


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("name: x\ncraftc: 2\nmodle: 3\n", "newer-version", 2),
        ("craftc: 0\nmodle: 3\n", "older-version", 1),
        ("craftc: -1\n", "older-version", 1),
        ("name: x\nmodle: 3\n", "missing-version", 1),
    ],
)
def test_another_version_is_all_that_is_reported(text: str, code: str, line: int) -> None:
    (refusal,) = diagnosed(text)
    assert (refusal.code, refusal.range.start.line) == (code, line)


@pytest.mark.parametrize("version", ["true", "1.0", "'1'"])
def test_a_version_that_is_no_whole_number_is_a_mistake_of_its_value(version: str) -> None:
    found = diagnosed(f"craftc: {version}\nname: x\n")
    assert [d.code for d in found if d.path == "craftc"] == ["unknown-choice"]


def test_a_base_of_another_version_is_reported_in_its_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("# A base.\ncraftc: 2\ntraining: {epoch_count: 2}\n")
    (refusal,) = diagnosed("craftc: 1\nname: x\nextends: base.yaml\n")
    assert (refusal.code, refusal.range.filename, refusal.range.start.line) == ("newer-version", "base.yaml", 2)
    assert [(r.message, r.range.start.line) for r in refusal.related] == [("included here", 3)]
