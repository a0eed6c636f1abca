"""What how_to/frozen_backbones.md shows runs as it stands there, with fewer epochs, and leaves nothing orphaned."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from craftc.cli.main import app

PAGE = (Path(__file__).parents[3] / "docs" / "how_to" / "frozen_backbones.md").read_text(encoding="utf-8")


def craftc(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result


def plan(spec: str) -> list[dict[str, Any]]:
    return list(json.loads(craftc("plan", spec, "--format", "json").stdout)["trials"])


def test_the_specs_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    pretrain, probe = (
        block.replace("epochs: 20", "epochs: 1") for block in re.findall("```yaml\n(.*?)```", PAGE, re.S)
    )
    Path("pretrain.yaml").write_text(pretrain)
    craftc("run", "pretrain.yaml", "--backend", "inline")
    [source] = plan("pretrain.yaml")
    Path("probe.yaml").write_text(re.sub(r"trial:\w+", f"trial:{source['id'][:12]}", probe))
    craftc("lint", "probe.yaml")
    craftc("run", "probe.yaml", "--backend", "inline")
    trials = plan("probe.yaml")
    assert {trial["status"] for trial in trials} == {"reused"}
    # One for each layer of the trained weights, and one for each seed of drawn ones.
    assert len({trial["stages"]["features"] for trial in trials}) == 2 + 3
    for run in Path("runs/pretrain").iterdir():
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
    # The run that used its weights names it still.
    found = json.loads(craftc("clean", "--orphaned", "--dry-run", "--format", "json").stdout)
    assert source["id"] not in {removal["name"] for removal in found["planned"]}
    for trial in trials:
        best = torch.load(Path("runs/store", trial["id"], "checkpoints/best.pt"), weights_only=True)
        assert not any("blocks" in name for name in best["model"])


OWN = """craftc: 1
name: own-probe
data: {source: digits, normalize: per_line}
model:
  kind: frozen_page_lab:probe
  encoder: {kind: scanline_vit, d_model: 8, num_layers: 1, num_heads: 2, d_ffn: 8}
  checkpoint: random
  readout: {kind: linear}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 32, optimizer: adamw}
"""


def test_the_component_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    [source] = re.findall("```python\n(.*?)```", PAGE, re.S)
    Path("frozen_page_lab.py").write_text(source)
    Path("own.yaml").write_text(OWN)
    craftc("run", "own.yaml", "--backend", "inline")
    [trial] = plan("own.yaml")
    assert trial["stages"]["features"]
    best = torch.load(Path("runs/store", trial["id"], "checkpoints/best.pt"), weights_only=True)
    # Of the head alone; what norm gives for eight lines and the class token is nine tokens of eight numbers.
    assert {name: tuple(tensor.shape) for name, tensor in best["model"].items()} == {
        "head.weight": (10, 72),
        "head.bias": (10,),
    }
