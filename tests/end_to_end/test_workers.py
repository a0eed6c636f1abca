"""`craftc run` of trials that have several workers, as its user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Two worker groups, each of five processes that import torch, beside whatever else runs: 70 s when nothing does.
pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]

# A start that learns, a point at which nothing does, which falls behind and is stopped, and one that learns too.
SPEC = """\
craftc: 1
name: pruned
data: {source: digits}
model: {kind: nets:Net}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 4, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
search:
  space: {training.optimizer.lr: {choice: [3e-2, 1e-6]}}
  optimize: {metric: valid/accuracy}
  sampler: random
  pruner: {kind: successive_halving, min_epochs: 1, reduction_factor: 2}
  trials: 2
"""
WORKERS = "resources: {workers: 2, max_concurrent: 1}\n"
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


def write_project(folder: Path) -> Path:
    """A project with a folder that has the name of one of craftc's own, to be called from elsewhere."""
    for name in ("schemas", "specs"):
        (folder / name).mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / "schemas" / "__init__.py").touch()
    (folder / "schemas" / "sizes.py").write_text("NUM_CLASSES = 10\n")
    (folder / "nets.py").write_text(NET)
    return folder / "specs" / "pruned.yaml"


def craftc_run(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", "run", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is left when the start, which a process alone has trained, is reused and the points have two workers."""
    folder = tmp_path_factory.mktemp("workers")
    spec = write_project(folder / "project")
    spec.write_text(SPEC.partition("search:")[0])
    craftc_run(folder, str(spec), "--backend", "inline")
    spec.write_text(SPEC + WORKERS)
    craftc_run(folder, str(spec))
    return folder / "runs"


def points(runs: Path) -> list[dict[str, Any]]:
    search = json.loads((max((runs / "pruned").iterdir()) / "search.json").read_text())
    return [point for study in search["studies"] for point in study["points"]]


def test_a_point_of_two_workers_is_pruned_and_the_next_one_starts(runs: Path) -> None:
    start, pruned, last = points(runs)
    assert [start["state"], pruned["state"], last["state"]] == ["finished", "pruned", "finished"]
    finished = {path.parent.name for path in (runs / "store").glob("*/result.json")}
    assert finished == {*start["trials"], *last["trials"]}


def test_every_worker_of_a_trial_finds_the_projects_code(runs: Path) -> None:
    *_, last = points(runs)
    (trial,) = last["trials"]
    result = json.loads((runs / "store" / trial / "result.json").read_text())
    assert result["best"]["test/accuracy"] > 0.5
    assert result["num_parameters"] == 650
