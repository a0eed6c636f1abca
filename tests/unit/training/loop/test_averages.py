"""Averages of weights by epochs and steps, of some and of all, against torch's own and by hand."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.batched_trials.compatibility import unlike
from craftc.training.batched_trials.trial_batch import Batch
from craftc.training.data.device_split import train_batches
from craftc.training.foundation.random import epoch_order, key
from craftc.training.loop.estimate_norms import estimate_norms
from craftc.training.loop.step import train_step
from craftc.training.loop.training import Training
from craftc.training.loop.trial import lay_ground, open_training, train_trial
from craftc.training.parts.average import Averaging
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

OWN = """
import torch
from torch import nn

class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 10)
        )
"""
NORMED = {"model": {"kind": "own_average:Normed"}}
SWA = {"decay": "none", "start": {"epochs": 1, "steps": None}, "every": {"epochs": None, "steps": 4}}
EMA = {"decay": 0.8, "start": "none", "every": {"epochs": None, "steps": 3}}
FEW = {"data.splits": {"train": 0.2, "valid": 0.2, "test": 0.6, "stratify": True, "seed": 0}}

Run = Callable[..., tuple[list[EpochRecord], Result]]


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_average.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def opened(make_trial: Callable[..., Trial], tmp_path: Path) -> Callable[..., Training]:
    def open_(settings: dict[str, Any], seed: int = 0) -> Training:
        trial = make_trial({"training.precision": "float64"} | FEW | settings, seed=seed)
        return open_training(Start([Member(trial, tmp_path / trial.id)]), lay_ground(trial, "cpu"))

    return open_


@pytest.mark.parametrize(
    ("average", "taken"),
    [
        (Averaging(0.9), [1, 2, 3, 4, 5, 6, 7, 8]),
        (Averaging(None, start=2), [3, 4, 5, 6, 7, 8]),
        (Averaging(None, start=2, every=3), [5, 8]),
        (Averaging(0.5, every=4), [4, 8]),
    ],
)
def test_weights_count_behind_every_so_many_steps(average: Averaging, taken: list[int]) -> None:
    assert [step for step in range(1, 9) if average.takes(step)] == taken


@pytest.mark.parametrize("setting", [SWA, EMA], ids=["swa", "ema"])
def test_the_average_is_torchs(opened: Callable[..., Training], setting: dict[str, Any]) -> None:
    training = opened({"regularization.average": setting})
    parts, train = training.parts, training.train
    fn = None if setting["decay"] == "none" else get_ema_multi_avg_fn(setting["decay"])
    torchs = AveragedModel(parts.model, multi_avg_fn=fn)
    per_epoch = training.course.steps_per_pass
    start = per_epoch if setting is SWA else 0
    num_steps = per_epoch + 9
    parts.model.train()
    for step in range(num_steps):
        train_step(parts, train.head(64).columns, step)
        if step + 1 > start and (step + 1 - start) % setting["every"]["steps"] == 0:
            torchs.update_parameters(parts.model)
        elif torchs.n_averaged == 0:
            for one, other in zip(parts.evaluated.parameters(), parts.model.parameters(), strict=True):
                assert torch.equal(one, other), "the weights themselves, until the first that count"
    assert parts.ema is not None
    assert int(parts.ema.n_averaged) == int(torchs.n_averaged) > 1
    for one, other in zip(parts.ema.module.parameters(), torchs.module.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_statistics_of_batches_are_estimated_for_the_average(opened: Callable[..., Training]) -> None:
    settings = NORMED | {"regularization.average": SWA, "data.augment": [], "regularization.clip_grad_norm": "none"}
    training = opened(settings)
    training.train_record()
    parts, train = training.parts, training.train
    parts.model.train()
    for step in range(training.course.steps_per_pass, training.course.steps_per_pass + 8):
        train_step(parts, train.head(64).columns, step)
    assert parts.ema is not None
    expected = copy.deepcopy(parts.ema.module)
    expected.eval()
    order = epoch_order(key(parts.seed, "evaluation"), 0, len(train))
    inputs = [batch["x"] for batch in train_batches(train, order, 64)]
    for module in expected.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    plain = nn.Sequential(nn.Flatten(), *list(expected.children())[1:4])
    update_bn(inputs, plain)
    before = parts.ema.module[2].running_mean.clone()
    estimate_norms(parts, train, batch_size=64, num_steps=8)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(parts.ema.module[2], name), getattr(plain[2], name), rtol=1e-12, atol=1e-14)
    assert not torch.allclose(before, parts.ema.module[2].running_mean)
    assert not parts.ema.module.training


@pytest.mark.parametrize("setting", [SWA, EMA], ids=["swa", "ema"])
@pytest.mark.parametrize("model", [{}, NORMED], ids=["mlp", "normed"])
def test_an_interrupted_training_goes_on(
    make_trial: Callable[..., Trial], run_trial: Run, tmp_path: Path, setting: dict[str, Any], model: dict[str, Any]
) -> None:
    trial = make_trial(FEW | model | {"regularization.average": setting})
    straight, whole = run_trial(trial, tmp_path / "straight")
    for num in (1, 2):
        cut = train_trial(trial, folder=tmp_path / f"cut{num}", device="cpu")
        first = [next(cut) for _ in range(num)]
        cut.close()
        rest, resumed = run_trial(trial, tmp_path / f"cut{num}")
        assert [record.metrics for record in first + rest] == [record.metrics for record in straight]
        assert resumed.best == whole.best
    plain, _ = run_trial(make_trial(FEW | model), tmp_path / "plain")
    assert plain[-1].metrics["train/objective"] == straight[-1].metrics["train/objective"]
    assert plain[-1].metrics["valid/loss"] != straight[-1].metrics["valid/loss"]
    if setting is SWA:
        assert plain[0].metrics == straight[0].metrics, "nothing is averaged before the start"


def test_ema_decay_is_short_for_an_average(make_trial: Callable[..., Trial], run_trial: Run, tmp_path: Path) -> None:
    short, _ = run_trial(make_trial(FEW | {"regularization.ema_decay": 0.9}), tmp_path / "short")
    average = {"decay": 0.9, "start": "none", "every": {"epochs": None, "steps": 1}}
    long, _ = run_trial(make_trial(FEW | {"regularization.average": average}), tmp_path / "long")
    assert [record.metrics for record in short] == [record.metrics for record in long]


def test_in_a_batch_each_has_its_own(opened: Callable[..., Training]) -> None:
    settings = [{"regularization.average": SWA}, {"regularization.average": EMA}, {"regularization.ema_decay": 0.9}]
    alone, together = ([opened(own, seed).parts for seed, own in enumerate(settings)] for _ in range(2))
    train = opened(settings[0]).train
    assert unlike(together) is None
    batch, num_steps = Batch(together), 14
    for first in (0, 7):
        batch.begin_epoch([first] * 3, 7)
        for index in range(7):
            columns = {name: torch.stack([column] * 3) for name, column in train.head(32).columns.items()}
            batch.train_step(columns, index, [first + index] * 3)
        batch.end_epoch(7)
    for one, other in zip(alone, together, strict=True):
        one.model.train()
        for step in range(num_steps):
            train_step(one, copy.deepcopy(train.head(32).columns), step)
        assert one.ema is not None
        assert other.ema is not None
        for ours, theirs in zip(one.ema.state_dict().values(), other.ema.state_dict().values(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_what_is_estimated_is_in_no_batch(opened: Callable[..., Training]) -> None:
    parts = [opened(NORMED | {"regularization.average": SWA}, seed).parts for seed in (0, 1)]
    assert "the buffers of the model are averaged or estimated apart" in str(unlike(parts))
