"""What docs/how_to/compose_specs.md shows is so."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.compiler.composing.merge import open_places
from craftc.compiler.composing.text_values import name_fields
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.render.text import render_text
from craftc.schemas.diagnostic import format_path

PAGE = (Path(__file__).parents[3] / "docs" / "how_to" / "compose_specs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:yaml)?\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the files that the page shows by name."""
    monkeypatch.chdir(tmp_path)
    for block in BLOCKS:
        if named := re.match(r"# (\w+\.yaml)\n", block):
            Path(named[1]).write_text(block, encoding="utf-8")
    return tmp_path


def test_the_complete_spec_is_the_one_shown(here: Path) -> None:
    shown = next(block for block in BLOCKS if "# default" in block)
    result = CliRunner().invoke(app, ["plan", "deeper.yaml", "--resolved"])
    assert result.exit_code == 0
    assert shown in result.stdout


def test_a_mistake_in_a_base_is_told_as_shown(here: Path) -> None:
    Path("inner.yaml").write_text("data: {source: digits}\ntraining: {epochs: 0}\n")
    Path("outer.yaml").write_text("extends: inner.yaml\nobjective: cross_entropy\nmodel: mlp\n")
    spec = "craftc: 1\nname: spec\nextends: outer.yaml\ntraining: {batch_size: 32, optimizer: adamw}\n"
    analysis = analyse(spec, "spec.yaml", built_in_catalogue())
    assert render_text(analysis.diagnostics, analysis.fragments) in PAGE


def test_the_fields_that_take_the_environment_are_those_named() -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith("- `resources.slurm"))
    fields, _, trackers = line.partition("arguments of trackers")
    assert set(re.findall(r"`([\w.]+)`", fields)) == {format_path(path) for path in name_fields()}
    marked = {p.name for e in built_in_catalogue().entries for p in e.parameters if p.from_environment}
    assert set(re.findall(r"`([\w.]+)`", trackers.partition(":")[2])) == marked


def test_the_sections_with_keys_of_the_users_own_are_those_named() -> None:
    sentence = PAGE.partition("Where the keys are yours, in ")[2].partition(", they merge")[0]
    assert set(re.findall(r"`([\w.]+)`", sentence)) == {format_path(path) for path in open_places()}
