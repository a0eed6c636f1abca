"""Groups of trials through the command line: trained as one batch, or one after another with the reason told."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.batch_findings import finding_file
from craftc.runtime.store.store import Store
from craftc.schemas.batching import BatchFinding

ROOT = Path(__file__).parents[2]
SPEC = """\
craftc: 1
name: many
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, metrics: [accuracy]}
regularization: {dropout: 0.1}
training: {epochs: 3, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2, grid: {training.optimizer.lr: [3e-3]}}
resources: {max_concurrent: 1}
report: {artefacts: [{kind: confusion_matrix, replicates: all, every: 2}]}
"""
OWN = """\
craftc: 1
name: own
data: {source: digits}
model: {kind: nets:Net}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 9, batch_size: 32, optimizer: {kind: sgd, lr: 0.1}}
ablation: {seeds: 4}
resources: {max_concurrent: 1}
"""
NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(64, 10)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return logits / max(1.0, logits.abs().max().item())
"""
WHY = "model nets:Net: Tensor.item(), which needs the value of one model"


def craftc(folder: Path, *arguments: str) -> str:
    """Both streams of a command that succeeds, in this process, which has torch already."""
    with contextlib.chdir(folder):
        done = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout + done.stderr


def craftc_apart(folder: Path, *arguments: str) -> str:
    """The same in a process of its own, which reads the user's code as it is now."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "craftc", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def results(folder: Path) -> dict[str, Any]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("runs/store/*/result.json")}


def records(folder: Path, trial: str) -> list[Any]:
    lines = (folder / "runs/store" / trial / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def shown_accuracy(folder: Path, trial: str, name: str) -> float:
    """By a confusion matrix of the store."""
    content = json.loads((folder / "runs/store" / trial / "artefacts" / f"{name}.json").read_text())
    counts: list[list[int]] = content["values"]["counts"]
    return sum(row[place] for place, row in enumerate(counts)) / sum(map(sum, counts))


def test_a_spec_whose_trials_are_known_to_gain_is_run_as_one_batch(tmp_path: Path) -> None:
    (tmp_path / "many.yaml").write_text(SPEC)
    assert "4 trainings alike: batched if a measurement shows it faster" in craftc(tmp_path, "plan", "many.yaml")
    plan = compile_spec(SPEC, "many.yaml", built_in_catalogue()).plan
    assert plan is not None
    # As an earlier run on this machine would have left it: four at a time take no longer than one.
    file = finding_file(Store(tmp_path / "runs" / "store"), plan.trials[0], device="cpu", cpus=1)
    file.write(BatchFinding(seconds={1: 1.0, 4: 1.0}))
    said = craftc(tmp_path, "plan", "many.yaml")
    assert "4 trainings alike: 4 at a time as one batch, measured 4.0 times as fast as each alone" in said
    assert "4 trials: 4 new, 0 reused; 1 job" in said
    planned = json.loads(craftc(tmp_path, "plan", "many.yaml", "--format", "json"))
    assert [job["batched"] for job in planned["jobs"]] == [True]
    assert planned["groups"] == [{"group": 0, "trainings": 4, "size": 4, "gain": 4.0, "because": None}]

    craftc(tmp_path, "run", "many.yaml", "--backend", "inline")
    batched = results(tmp_path)
    assert [result["execution"]["batched"] for result in batched.values()] == [4] * 4

    # Without what the store knew there is too little to train for a try: one after another, to the same numbers.
    craftc(tmp_path, "run", "many.yaml", "--backend", "inline", "--runs-dir", "alone/runs")
    alone = results(tmp_path / "alone")
    assert alone.keys() == batched.keys()
    for trial, result in alone.items():
        assert result["execution"] == {"batched": 1, "alone_because": None} | result["execution"]
        assert abs(result["best"]["valid/loss"] - batched[trial]["best"]["valid/loss"]) < 1e-4
    # Each trial's weights were its own after every second epoch, too.
    for folder, found in ((tmp_path, batched), (tmp_path / "alone", alone)):
        for trial, result in found.items():
            assert shown_accuracy(folder, trial, "confusion_matrix") == pytest.approx(result["best"]["valid/accuracy"])
            [record] = [record for record in records(folder, trial) if record["epoch"] == 2]
            early = shown_accuracy(folder, trial, "confusion_matrix.epoch_000002")
            assert early == pytest.approx(record["valid/accuracy"])
    assert "0 new, 4 reused" in craftc(tmp_path, "run", "many.yaml", "--backend", "inline")


def test_a_model_that_cannot_be_in_a_batch_is_told_by_run_result_and_plan(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "own.yaml").write_text(OWN)
    craftc_apart(tmp_path, "run", "own.yaml", "--backend", "inline")
    found = results(tmp_path)
    assert [result["execution"]["alone_because"] for result in found.values()] == [WHY] * 4
    (log,) = (tmp_path / "runs" / "own").glob("*/log")
    assert WHY in log.read_text()
    # The store knows for trials like them, and forgets it where the code is another.
    (tmp_path / "own.yaml").write_text(OWN.replace("lr: 0.1", "lr: 0.2"))
    assert f"4 trainings alike: each alone: {WHY}" in craftc_apart(tmp_path, "plan", "own.yaml")
    (tmp_path / "nets.py").write_text(NET + "\n# edited\n")
    assert "4 trainings alike: batched if a measurement shows it faster" in craftc_apart(tmp_path, "plan", "own.yaml")
