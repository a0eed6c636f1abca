"""Trainings that are killed within a record, by SIGKILL, and go on: against uninterrupted ones, bit by bit."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.schemas.plan import CheckpointEvery, Trial
from craftc.training.state.checkpoint import last_path
from craftc.training.state.history import read_history

MakeTrial = Callable[..., Trial]

# A child trains; it is killed behind the state that it saves as the `kill_at`-th within a record.
KILLED = """
import json, os, signal, sys
from pathlib import Path

import torch

from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import Trial
from craftc.schemas.result import Result
from craftc.training.batched_trials import train as batched
from craftc.training.loop import training as alone
from craftc.training.loop.training import Failed
from craftc.training.loop.trial import train_together
from craftc.training.state import within_record
from craftc.training.state.member import Member

torch.set_num_threads(1)
how, root, own, *texts = sys.argv[1:]
sys.path.insert(0, own)
trials = [Trial.model_validate_json(text) for text in texts]


def train(folder, kill_at):
    count = 0
    after = within_record.Checkpoints.after

    def killing(checkpoints, step):
        nonlocal count
        was_due = checkpoints.is_due(step)
        after(checkpoints, step)
        count += was_due
        if was_due and count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    within_record.Checkpoints.after = killing
    members = [Member(trial, folder / trial.variant) for trial in trials]
    if how == "batch":
        findings = batched.Findings(BatchFinding(seconds={1: 1.0, len(trials): 1.0}), lambda finding: None)
        told = batched.train_batched([[member] for member in members], device="cpu", findings=findings)
    else:
        told = train_together(members, device="cpu")
    results = {}
    for item in told:
        assert not isinstance(item, Failed | str), item
        if isinstance(item, Result):
            results[item.trial] = item.model_dump(mode="json", exclude={"seconds"})
    (folder / "results.json").write_text(json.dumps(results))
    return count


def in_a_child(name, kill_at):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(train(Path(root) / name, kill_at)).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == bool(kill_at), status
    return os.read(reading, 100).decode()


count = int(in_a_child("straight", 0))
points = sorted({1, count // 2, count})
for point in points:
    in_a_child(f"killed{point}", point)
    in_a_child(f"killed{point}", 0)
print(json.dumps([count, points]))
"""
# Draws from the global generators, as a user's own model may.
DRAWS = """
import random

import numpy as np
import torch

class Draws(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 10))

    def forward(self, x):
        if self.training:
            x = x + random.random() + np.random.random()
        return super().forward(x)
"""
PLATEAU = {"kind": "reduce_on_plateau", "metric": "train/loss", "mode": "max", "factor": 0.5, "patience": 1}
WARMUP = {"kind": "linear_warmup", "steps": 9, "start_lr": 0.0}
ALL_STATE: dict[str, Any] = {
    "evaluation.gradient_norms": True,
    "regularization.ema_decay": 0.9,
    "training.schedule": [WARMUP, PLATEAU | {"min_lr": 0.0, "epochs": "none"}],
    "model": {"kind": "drawing:Draws"},
}
IN_BATCH = {"evaluation.gradient_norms": True}
CONSTANT = {"training.schedule": [{"kind": "constant", "epochs": "none"}]}


def lasting(make_trial: MakeTrial, settings: dict[str, Any], name: str, *, every: Any, seed: int = 0) -> Trial:
    """A trial of 17 steps a pass that records, and is saved, within passes."""
    made = make_trial(settings | {"evaluation.every": every}, seed=seed)
    return made.model_copy(update={"variant": name, "checkpoint_every": CheckpointEvery(steps=7)})


def of_steps(config: dict[str, Any], **bounds: int) -> dict[str, Any]:
    """The settings of a training that ends after so many steps."""
    return config | {f"training.{name}": bound for name, bound in bounds.items()}


def files(folder: Path) -> dict[str, Any]:
    """Lines and last state, without the clock."""
    state = torch.load(last_path(folder), weights_only=True)
    for timed in (state["progress"], *state["others"].values(), state.get("running", {})):
        timed.pop("seconds", None)
    trial = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["trial"]
    lines = [record.model_dump(exclude={"seconds"}) for record in read_history(folder, trial).records]
    return {"lines": lines, "state": state}


def assert_same(one: Any, other: Any, place: str = "") -> None:
    """Bit by bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert list(one) == list(other), place
        for name in one:
            assert_same(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for number, (mine, its) in enumerate(zip(one, other, strict=True)):
            assert_same(mine, its, f"{place}.{number}")
    else:
        assert one == other, place


CASES: dict[str, tuple[str, dict[str, dict[str, Any]], Any]] = {
    "one trial": ("alone", {"one": of_steps(ALL_STATE, epochs=3)}, {"epochs": 1}),
    "one trial, records across passes": ("alone", {"one": of_steps(ALL_STATE, epochs=3)}, {"steps": 12}),
    "several that share a training": (
        "together",
        {
            "long": of_steps(CONSTANT, max_steps=40),
            "short": of_steps(CONSTANT, max_steps=31),
            "shortest": of_steps(CONSTANT | {"evaluation.select": "none"}, max_steps=9),
        },
        {"steps": 12},
    ),
    "a batch": (
        "batch",
        {
            "first": of_steps(IN_BATCH | {"training.optimizer.lr": 0.02, "regularization.ema_decay": 0.9}, epochs=3),
            "second": of_steps(IN_BATCH | {"model.dropout": 0.1, "regularization.ema_decay": 0.8}, epochs=3),
        },
        {"steps": 12},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_that_is_killed_within_a_record_goes_on_bit_by_bit(
    make_trial: MakeTrial, tmp_path: Path, case: str
) -> None:
    how, settings, every = CASES[case]
    (tmp_path / "drawing.py").write_text(DRAWS)
    trials = [lasting(make_trial, own, name, every=every) for name, own in settings.items()]
    texts = [trial.model_dump_json() for trial in trials]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, how, str(tmp_path), str(tmp_path), *texts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, points = json.loads(done.stdout)
    assert count >= 4
    straight = json.loads((tmp_path / "straight" / "results.json").read_text())
    for point in points:
        folder = tmp_path / f"killed{point}"
        again = json.loads((folder / "results.json").read_text())
        for name, trial in zip(settings, trials, strict=True):
            assert_same(files(folder / name), files(tmp_path / "straight" / name), f"{point} {name}")
            if trial.id in again:
                assert again[trial.id] == straight[trial.id]
    assert straight.keys() == {trial.id for trial in trials}
