"""Code of the user's own, and of packages that know nothing of craftc, from a spec to the conclusion."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from craftc.cli.main import app

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "01_own_model"

PACKAGES = """\
craftc: 1
name: packages
data: {source: digits, layout: channels, normalize: per_line}
model:
  kind: x_transformers:ViTransformerWrapper
  image_size: 8
  patch_size: 2
  channels: 1
  attn_layers: {kind: x_transformers:Encoder, dim: 32, depth: 1, heads: 2}
objective:
  kind: torch.nn:CrossEntropyLoss
  metrics: [accuracy, {kind: torchmetrics.classification:MulticlassF1Score, average: macro}]
training:
  epochs: 6
  batch_size: 64
  optimizer: {kind: torch.optim:AdamW, lr: 3e-3}
  early_stopping: {metric: valid/MulticlassF1Score, patience: 4}
ablation:
  grid: {model.attn_layers.heads: [4]}
  features:
    vit: {model: {kind: mlp_mixer_pytorch:MLPMixer, image_size: 8, channels: 1, patch_size: 2, dim: 32, depth: 1}}
"""
OWN = """\
craftc: 1
name: own
data: {source: digits}
model: {kind: nets:Net}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 64, optimizer: {kind: sgd, lr: 0.1}}
"""
NET = """\
import torch
from schemas.sizes import NUM_CLASSES

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(64, NUM_CLASSES)

    def forward(self, x):
        return self.head(x.flatten(1))
"""


def craftc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craftc", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def craftc_here(folder: Path, *arguments: str) -> Result:
    """In this process, which has torch already: where no code of the user's own is imported."""
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


def results(folder: Path) -> list[dict[str, dict[str, float]]]:
    return [json.loads(path.read_text()) for path in folder.glob("runs/store/*/result.json")]


def write_project(folder: Path, *, net: str = NET, spec: str = OWN) -> Path:
    """A project with folders that have the names of craftc's own, called from elsewhere."""
    for name in ("schemas", "compiler", "specs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "pyproject.toml").touch()
    (folder / "schemas" / "sizes.py").write_text("NUM_CLASSES = 10\n")
    (folder / "nets.py").write_text(net)
    (folder / "specs" / "own.yaml").write_text(spec)
    return folder / "specs" / "own.yaml"


@pytest.mark.ray
def test_the_example_trains_in_worker_processes(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    spec = (project / "spec.yaml").read_text()
    assert "seeds: 3" in spec
    assert "epochs: 12" in spec
    assert "resources:" not in spec
    # One process after another is enough to import the code; a second would import torch as well.
    spec = spec.replace("seeds: 3", "seeds: 1").replace("epochs: 12", "epochs: 6")
    (project / "spec.yaml").write_text(spec + "resources: {max_concurrent: 1}\n")

    done = craftc(tmp_path, "run", str(project / "spec.yaml"))
    assert done.returncode == 0, done.stderr
    assert "3 trials: 3 new" in done.stderr
    assert "-normalization" in done.stdout
    for result in results(tmp_path):
        assert result["best"]["test/TopAccuracy"] >= result["best"]["test/accuracy"]
        assert "among the 2 most likely" in result["identities"]["TopAccuracy"]
    assert max(result["best"]["test/accuracy"] for result in results(tmp_path)) > 0.7

    # What no trial uses is no part of its identity.
    (project / "unrelated.py").write_text("x = 1\n")
    assert "3 reused" in craftc(tmp_path, "run", str(project / "spec.yaml")).stderr


def test_the_example_is_shown_as_it_is() -> None:
    """The README of the example has its spec's plan."""
    done = craftc_here(EXAMPLE, "plan", "spec.yaml", "--runs-dir", "nowhere")
    assert done.exit_code == 0, done.stderr
    readme = (EXAMPLE / "README.md").read_text()
    assert "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) in readme


def test_public_packages_train_without_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "packages.yaml").write_text(PACKAGES)
    linted = craftc_here(tmp_path, "lint", "packages.yaml")
    assert (linted.exit_code, linted.stdout) == (0, ""), linted.stdout + linted.stderr
    # Apart: here what a package warns of would be an error.
    done = craftc(tmp_path, "run", "packages.yaml", "--backend", "inline")
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert len(found) == 3
    for result in found:
        assert result["best"]["test/accuracy"] > 0.5
        assert 0 < result["best"]["test/MulticlassF1Score"] < 1
        assert result["identities"]["loss"].startswith("torch.nn:CrossEntropyLoss")


def test_code_that_cannot_be_imported_is_told_once_before_anything_is_trained(tmp_path: Path) -> None:
    spec = write_project(tmp_path / "project", net="print('loading')\nimport no_such_package\n" + NET)
    spec.write_text(OWN + "ablation: {seeds: 3}\n")
    done = craftc(tmp_path, "run", str(spec), "--backend", "inline")
    assert done.returncode == 1
    assert done.stderr.count("error[component-not-importable]") == 1
    assert "own.yaml:4:15: error[component-not-importable]: nets:Net cannot be imported: Module" in done.stderr
    assert "(nets.py:2)" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_a_failure_names_the_trial_the_cause_and_the_users_own_line(tmp_path: Path) -> None:
    net = NET.replace("return self.head(x.flatten(1))", "return self.head(x.flatten(1)[:, :60])")
    done = craftc(tmp_path, "run", str(write_project(tmp_path / "project", net=net)), "--backend", "inline")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "error[model-forward]" in line]
    assert "own.yaml:4:8: error[model-forward]: model nets:Net on a batch of inputs, float32 of shape" in line
    assert "(2, 8, 8): RuntimeError: mat1 and mat2 shapes" in line
    assert "(nets.py:10); the traceback is in runs/own/" in line
    assert not results(tmp_path)


def test_a_failure_later_on_is_its_trials_alone(tmp_path: Path) -> None:
    net = NET.replace(
        "    def forward", "    def train(self, mode=True):\n        self.num = getattr(self, 'num', 0) + mode\n"
        "        if self.num > 1:\n            raise RuntimeError('of the second epoch')\n"
        "        return super().train(mode)\n\n    def forward",
    )  # fmt: skip
    done = craftc(tmp_path, "run", str(write_project(tmp_path / "project", net=net)), "--backend", "inline")
    assert done.returncode == 3, done.stderr
    assert "base seed 0: failed: RuntimeError: of the second epoch (nets.py:12)" in done.stderr
