"""A spec whose shorter trials are read off its longest training: each is, bit by bit, what it is when trained alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFinished

NORMED = """
from torch import nn

class Normed(nn.Sequential):
    def __init__(self, dropout: float = 0.0):
        normed = [nn.BatchNorm1d(12), nn.Dropout(dropout)]
        super().__init__(nn.Flatten(), nn.Linear(64, 12), *normed, nn.ReLU(), nn.Linear(12, 10))
"""
PLAIN: dict[str, Any] = {
    "craftc": 1,
    "name": "forks",
    "data": {"source": "digits"},
    "model": {"kind": "mlp", "hidden": [12]},
    "objective": {"kind": "cross_entropy"},
    "training": {"epochs": 4, "batch_size": 128, "optimizer": {"kind": "sgd", "lr": 0.05}, "schedule": ["constant"]},
    "ablation": {"grid": {"training.epochs": [2, 3, 4], "evaluation.select": [{"metric": "valid/loss"}, "none"]}},
}
ADAMW = {"optimizer": {"kind": "adamw", "lr": 0.01}}
SCHEDULE = {
    "schedule": [{"kind": "linear_warmup", "epochs": 1}, {"kind": "cosine", "epochs": 1, "end_lr": 1e-3}, "constant"]
}
NOISE = {"kind": "gaussian_noise", "std": 0.1}
STATEFUL: dict[str, dict[str, Any]] = {
    "dropout": {"model": {"kind": "mlp", "hidden": [12], "dropout": 0.4}},
    "batch norm": {"model": {"kind": "normed_for_forks:Normed"}},
    "adamw": {"training": PLAIN["training"] | ADAMW},
    "schedule": {"training": PLAIN["training"] | SCHEDULE},
    "average": {"regularization": {"ema_decay": 0.9}},
    "all": {
        "data": {"source": "digits", "augment": [NOISE]},
        "model": {"kind": "normed_for_forks:Normed", "dropout": 0.4},
        "training": PLAIN["training"] | ADAMW | SCHEDULE,
        "regularization": {"ema_decay": 0.9},
    },
}


@pytest.fixture(autouse=True)
def _own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "normed_for_forks.py").write_text(NORMED)
    monkeypatch.syspath_prepend(tmp_path)


def planned(spec: dict[str, Any], folder: Path) -> list[Trial]:
    plan = compile_spec(json.dumps(spec), str(folder / "x.yaml"), built_in_catalogue()).plan
    assert plan is not None
    return list(plan.trials)


def left(trial: Trial, store: Store) -> dict[str, Any]:
    """What a trial leaves in the store, without the clock and the names of those it was trained with."""
    checkpoints = store.folder(trial.id) / "checkpoints"
    last, best = (torch.load(checkpoints / name, weights_only=True) for name in ("last.pt", "best.pt"))
    return {
        "result": store.result(trial.id).model_dump(exclude={"seconds"}),
        "history": [record.model_dump(exclude={"seconds"}) for record in store.history(trial.id)],
        "state": [last[part] for part in ("model", "ema", "optimizer", "schedule")],
        "best": [best["epoch"], best["model"]],
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def run(trials: list[Trial], store: Store) -> None:
    ends = [e for e in run_job(trials, store=store, device="cpu", cpus=1) if isinstance(e, TrialFinished)]
    assert len(ends) == len(trials)


@pytest.mark.parametrize("case", STATEFUL)
def test_a_forked_trial_is_what_it_is_alone_bit_by_bit(case: str, tmp_path: Path) -> None:
    trials = planned(PLAIN | STATEFUL[case], tmp_path)
    assert sum(trial.shares is None for trial in trials) == 1
    assert len(trials) == 6
    together, apart = Store(tmp_path / "together"), Store(tmp_path / "apart")
    run(trials, together)
    run([trial.model_copy(update={"shares": None}) for trial in trials], apart)
    for trial in trials:
        forked, alone = left(trial, together), left(trial, apart)
        for part in alone:
            assert same(forked[part], alone[part]), (trial.config["training"]["epochs"], part)


def test_what_is_forked_has_the_state_that_the_cases_are_named_for(tmp_path: Path) -> None:
    specs = [
        {name: value for name, value in (PLAIN | each).items() if name != "ablation"}
        for each in ({}, *STATEFUL.values())
    ]
    [plain, *others] = [trial for spec in specs for trial in planned(spec, tmp_path)]
    store = Store(tmp_path / "store")
    run([plain, *others], store)
    straight = left(plain, store)["history"]
    metrics = [[record["metrics"] for record in left(trial, store)["history"]] for trial in others]
    assert all(found != [record["metrics"] for record in straight] for found in metrics)
