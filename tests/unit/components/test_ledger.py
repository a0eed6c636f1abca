"""The ledger of defaults: it is up to date, and no default changes behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.components import ledger
from craftc.components.ledger import Entry, contradictions, entered, entries, read, render
from craftc.schemas.language import SECTIONS

MLP = Entry("models.mlp", 1, {"dropout": 0.0, "hidden": [128]})
DATA = Entry("data", 1, {"augment": [], "normalize": {"kind": "none"}})


def test_the_ledger_is_up_to_date() -> None:
    now = entries(built_in_catalogue())
    text = ledger.LEDGER_FILE.read_text(encoding="utf-8")
    assert contradictions(read(text), now) == []
    assert render(entered(read(text), now)) == text


def test_it_has_every_section_and_every_component_of_a_trial() -> None:
    found = {entry.of for entry in entries(built_in_catalogue())}
    assert found >= SECTIONS.keys() - {"model", "program"} | {
        "data.splits",
        "training.early_stopping",
        "evaluation.select",
    }
    built_in = {f"{e.group}.{e.kind}" for e in built_in_catalogue().entries}
    beside = ("samplers", "pruners", "trackers", "artefacts")
    assert {name for name in built_in if name.split(".")[0] not in beside} <= found
    assert not {name for name in found if name.startswith(beside)}


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (replace(MLP, defaults={"dropout": 0.1, "hidden": [128]}), "the default of dropout is 0.1, and was 0.0"),
        (replace(MLP, defaults={"dropout": 0, "hidden": [128]}), "the default of dropout is 0, and was 0.0"),
        (replace(MLP, defaults={"dropout": False, "hidden": [128]}), "the default of dropout is false, and was 0.0"),
        (replace(MLP, defaults={"hidden": [128]}), "dropout is gone, or has no default any more"),
        (replace(MLP, version=0), "its version is 0, and 1 was used before"),
    ],
)
def test_a_default_that_changes_needs_a_new_version(now: Entry, sentence: str) -> None:
    [told] = contradictions([MLP], [now])
    assert told.startswith(f"models.mlp: {sentence}")
    assert told.endswith("give it semantics_version=2")
    assert contradictions([MLP], [replace(now, version=2)]) == []


@pytest.mark.parametrize(
    "now",
    [
        MLP,
        replace(MLP, defaults={**MLP.defaults, "bias": True}),
        replace(MLP, version=2, defaults={}),
    ],
)
def test_what_is_added_needs_none(now: Entry) -> None:
    assert contradictions([MLP], [now, Entry("models.new", 1, {"a": 1})]) == []


def test_a_key_of_a_lower_version_is_refused() -> None:
    before = replace(DATA, versions={"augment": 2})
    assert contradictions([before], [DATA]) == ["data: the version of augment is 1, and 2 was used before"]
    assert contradictions([before], [replace(DATA, versions={"augment": 3})]) == []
    assert contradictions([before], [replace(DATA, version=2)]) == []


def test_a_default_component_of_a_new_version_is_counted_by_that() -> None:
    marked: dict[str, Any] = {**DATA.defaults, "normalize": {"@": 2, "kind": "none"}}
    assert contradictions([DATA], [replace(DATA, defaults=marked)]) == []
    assert contradictions([replace(DATA, defaults=marked)], [DATA]) == []  # its own entry refuses to fall back
    [told] = contradictions([Entry("data", 1, {"augment": []})], [replace(DATA, defaults=marked)])
    assert told.startswith("data: the default of normalize, which is new, names what has a version above 1")


def test_what_is_gone_is_remembered() -> None:
    gone = entered([MLP], [DATA])
    assert gone == (DATA, Entry("models.mlp", 1, is_gone=True))
    assert read(render(gone)) == gone
    [told] = contradictions(gone, [DATA, MLP])
    assert told == "models.mlp: its version is 1, and 1 was used before; give it semantics_version=2"
    assert contradictions(gone, [DATA, replace(MLP, version=2)]) == []


def test_it_is_written_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.json"
    monkeypatch.setattr(ledger, "LEDGER_FILE", file)
    monkeypatch.setattr("sys.argv", ["ledger", "--check"])
    assert ledger.main() == 1
    assert "ledger.json is out of date; run python -m craftc.components.ledger" in capsys.readouterr().err
    assert not file.exists()
    monkeypatch.setattr("sys.argv", ["ledger"])
    assert ledger.main() == 0
    monkeypatch.setattr("sys.argv", ["ledger", "--check"])
    assert ledger.main() == 0
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace('"p": 0.5', '"p": 0.25', 1), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["ledger"])
    assert ledger.main() == 1
    assert "augmentations.horizontal_flip: the default of p is 0.5, and was 0.25" in capsys.readouterr().err
    assert '"p": 0.25' in file.read_text(encoding="utf-8")
