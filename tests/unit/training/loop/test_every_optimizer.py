"""Every optimizer that a spec can name, in a whole training: interrupted, in groups, clipped, averaged, in 16 bits."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.components.registry import REGISTRY
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.loop.trial import train_trial

MakeTrial = Callable[..., Trial]
RunTrial = Callable[..., tuple[list[EpochRecord], Result]]

RATES = {"sgd": 0.1, "muon": 0.02, "lion": 1e-3, "schedule_free_sgd": 1.0, "adagrad": 0.05, "adafactor": 0.05}
FEW = {"data.splits": {"train": 0.2, "valid": 0.2, "test": 0.6, "stratify": True, "seed": 0}}
ALL_AT_ONCE: dict[str, Any] = {
    "training.decay": "weights",
    "training.groups": [{"parameters": "*.bias", "lr_scale": 2.0}, {"parameters": "*", "weight_decay": 0.2}],
    "regularization.ema_decay": 0.9,
    "regularization.clip_grad_norm": 0.5,
    "training.accumulate": 2,
    "training.batch_size": 32,
}


def setting(kind: str, **args: Any) -> dict[str, Any]:
    return {"kind": kind, "lr": RATES.get(kind, 0.01), "weight_decay": 0.05, **args}


def states(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return state


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return all(map(same, one, other)) and len(one) == len(other) if isinstance(one, list | tuple) else one == other


def check_resumed(trial: Trial, run_trial: RunTrial, folder: Path) -> list[EpochRecord]:
    """Three epochs are one epoch, an end, and two more, to the last bit of the optimizer's state."""
    straight, whole = run_trial(trial, folder / "straight")
    cut = train_trial(trial, folder=folder / "cut", device="cpu")
    first = [next(cut)]
    cut.close()
    rest, resumed = run_trial(trial, folder / "cut")
    assert [record.metrics for record in first + rest] == [record.metrics for record in straight]
    assert resumed.best == whole.best
    kept, again = states(folder / "straight"), states(folder / "cut")
    assert all(same(kept[name], again[name]) for name in ("model", "ema", "optimizer", "schedule", "scaler"))
    return straight


@pytest.mark.parametrize("kind", REGISTRY["optimizers"])
def test_an_interrupted_training_goes_on(make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path, kind: str) -> None:
    trial = make_trial(FEW | ALL_AT_ONCE | {"training.optimizer": setting(kind)})
    straight = check_resumed(trial, run_trial, tmp_path)
    assert straight[-1].metrics["train/objective"] < straight[0].metrics["train/objective"]


@pytest.mark.parametrize("kind", ["nadam", "muon", "schedule_free_adamw"])
def test_in_64_bits_too(make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path, kind: str) -> None:
    check_resumed(
        make_trial(FEW | {"training.optimizer": setting(kind), "training.precision": "float64"}), run_trial, tmp_path
    )


@pytest.mark.parametrize("kind", REGISTRY["optimizers"])
def test_gradients_are_scaled_for_16_bits(
    make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path, kind: str
) -> None:
    plain = make_trial(FEW | {"training.optimizer": setting(kind), "training.epochs": 2})
    lowered = copy.deepcopy(plain.config)
    lowered["training"]["precision"] = "fp16"
    full, _ = run_trial(plain, tmp_path / "full")
    half, _ = run_trial(plain.model_copy(update={"config": lowered}), tmp_path / "half")
    assert states(tmp_path / "half")["scaler"]["scale"] >= 2**14
    for one, other in zip(full, half, strict=True):
        assert other.metrics["train/objective"] == pytest.approx(one.metrics["train/objective"], rel=0.05)
