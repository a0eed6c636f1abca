"""What the data contradicts in a variant is told at the value that makes it, with the variant's name."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app

SPEC = """craftc: 1
name: t
data: {source: {kind: csv, path: d.csv, target: y}, splits: {train: 0.5, valid: 0.5}}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 1, batch_size: 4, optimizer: adamw}
ablation: {grid: {objective.class_weights: [[1, 1], [1, 1, 1]]}}
"""


def test_the_value_is_blamed_and_its_variant_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{row + 0.5},{row % 7},{'no' if row % 2 else 'yes'}\n" for row in range(40)]
    Path("d.csv").write_text("a,b,y\n" + "".join(rows), encoding="utf-8")
    Path("spec.yaml").write_text(SPEC, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    assert result.exit_code == 1
    column = SPEC.splitlines()[6].index("[1, 1, 1]") + 1
    assert f'spec.yaml:7:{column}: error[data-mismatch]: variant "class_weights=[1,1,1]"' in result.output
    assert result.output.count("error[") == 1
