"""A small real trial, and what it takes to run it to its end."""

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.loop.trial import train_trial

BASE: dict[str, Any] = {
    "data": {
        "source": {"kind": "digits", "line_drift": 0.2, "imbalance": 3.0, "seed": 0},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0},
        "normalize": {"kind": "per_line"},
        "augment": [{"kind": "gaussian_noise", "std": 0.05, "p": 1.0}],
    },
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [16], "dropout": 0.2},
    "objective": {
        "kind": "cross_entropy",
        "class_weights": "balanced",
        "label_smoothing": 0.0,
        "metrics": [{"kind": "accuracy"}],
    },
    "regularization": {"clip_grad_norm": 1.0, "ema_decay": "none"},
    "training": {
        "epochs": 3,
        "batch_size": 64,
        "optimizer": {"kind": "adamw", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05},
        "schedule": [
            {"kind": "linear_warmup", "epochs": 1, "start_lr": 0.0},
            {"kind": "cosine", "epochs": "none", "end_lr": 0.0},
        ],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}


def _make_trial(settings: dict[str, Any] | None = None, *, seed: int = 0) -> Trial:
    """The base trial with some dotted paths set to other values, named by its content."""
    config = copy.deepcopy(BASE)
    for path, value in (settings or {}).items():
        *parents, last = path.split(".")
        place = config
        for parent in parents:
            place = place[parent]
        place[last] = value
    content = json.dumps([config, seed], sort_keys=True)
    return Trial(id=hashlib.sha256(content.encode()).hexdigest(), variant="base", seed=seed, config=config)


def _run_trial(trial: Trial, folder: Path, *, device: str = "cpu") -> tuple[list[EpochRecord], Result]:
    epochs = train_trial(trial, folder=folder, device=device)
    records = []
    while True:
        try:
            records.append(next(epochs))
        except StopIteration as end:
            return records, end.value


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., Trial]:
    return _make_trial


@pytest.fixture
def run_trial() -> Callable[..., tuple[list[EpochRecord], Result]]:
    return _run_trial
