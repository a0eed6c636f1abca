"""A trial is tried by the steps of training itself, on a few batches; nothing is left of it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.schemas.plan import Trial
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop import attempt as module
from craftc.training.loop.attempt import attempt, measure
from craftc.training.loop.live_memory import peak_bytes

MakeTrial = Callable[..., Trial]
TWO_FACED = """import torch
from torch import nn

class TwoFaced(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(64, num_classes)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return (logits, logits) if self.training else logits
"""


WANTING = """
class Many:
    least = 150

    def reset(self):
        self.count = 0

    def update(self, logits, targets):
        self.count += len(targets)

    def compute(self):
        if self.count < self.least:
            raise ValueError("too few")
        return 0.5

class More(Many):
    least = 10**6
"""


def own_model(make_trial: MakeTrial, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    (folder / "two_faced_nets.py").write_text(TWO_FACED)
    monkeypatch.syspath_prepend(folder)
    trial = make_trial()
    config = {**trial.config, "model": {"kind": "two_faced_nets:TwoFaced", "num_classes": "infer"}}
    return trial.model_copy(update={"config": config})


def test_a_trial_that_trains_passes_and_leaves_nothing(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert attempt(make_trial(), device="cpu") is None
    assert list(tmp_path.iterdir()) == []


def test_it_takes_two_steps_and_evaluates_every_split(make_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    splits: list[list[tuple[str, int]]] = []
    train_steps, evaluate_splits = module.train_steps, module.evaluate_splits

    def trained(parts: Any, train: Any, course: Any, running: Any, end: int, **options: Any) -> None:
        steps.append(end - running.step)
        train_steps(parts, train, course, running, end, **options)

    def evaluated(parts: Any, given: Any, names: Any, **options: Any) -> object:
        splits.append([(name, len(given[name])) for name in names])
        return evaluate_splits(parts, given, names, **options)

    monkeypatch.setattr(module, "train_steps", trained)
    monkeypatch.setattr(module, "evaluate_splits", evaluated)
    attempt(make_trial(), device="cpu")
    assert steps == [2]
    assert splits == [[("train", 128), ("valid", 128), ("test", 128)]]


def test_a_metric_that_needs_more_samples_is_given_them(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wanting_metrics.py").write_text(WANTING)
    monkeypatch.syspath_prepend(tmp_path)
    attempt(make_trial({"objective.metrics": [{"kind": "wanting_metrics:Many"}]}), device="cpu")
    with pytest.raises(TrainingError, match="metric More: ValueError: too few"):
        attempt(make_trial({"objective.metrics": [{"kind": "wanting_metrics:More"}]}), device="cpu")


def test_an_epoch_of_one_step_is_taken_twice_and_a_training_of_one_step_once(make_trial: MakeTrial) -> None:
    for epochs in (3, 1):
        assert attempt(make_trial({"training.batch_size": 5000, "training.epochs": epochs}), device="cpu") is None


def test_a_model_that_is_another_in_training_mode_is_named(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingError) as raised:
        attempt(own_model(make_trial, tmp_path, monkeypatch), device="cpu")
    assert raised.value.code == "model-output-shape"
    assert "two_faced_nets:TwoFaced in training mode turned a batch of shape (64, 8, 8)" in raised.value.message
    assert "a tuple of Tensor (64, 10) and Tensor (64, 10)" in raised.value.message


def test_a_loss_that_an_augmentation_makes_no_number_is_told_as_its_own(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zero_divider.py").write_text("class Divides:\n    def __call__(self, x):\n        return x / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    warning = attempt(make_trial({"data.augment": [{"kind": "zero_divider:Divides"}]}), device="cpu")
    assert warning is not None
    assert warning.code == "augmentation-range"
    assert "zero_divider:Divides turns values" in warning.message
    assert "into NaN or infinity" in warning.message


def test_a_loss_that_is_no_number_is_a_warning(make_trial: MakeTrial) -> None:
    trial = make_trial({"training.optimizer.lr": 1e30, "regularization.clip_grad_norm": "none"})
    trial.config["training"]["schedule"] = [{"kind": "constant"}]
    warning = attempt(trial, device="cpu")
    assert warning is not None
    assert warning.code == "nan-loss"
    assert "nan" in warning.message
    figures, warned = measure(trial, device="cpu")
    assert (figures.seconds_per_step, warned) == (None, warning)


def test_an_augmentation_that_leaves_the_range_of_its_inputs_is_a_warning(make_trial: MakeTrial) -> None:
    noisy = {"kind": "gaussian_noise", "std": 2.0, "p": 1.0}
    warning = attempt(make_trial({"data.augment": [noisy]}), device="cpu")
    assert warning is not None
    assert warning.code == "augmentation-range"
    assert warning.message.startswith("augmentation gaussian_noise turns values from ")
    assert attempt(make_trial({"data.augment": [noisy | {"std": 0.01}]}), device="cpu") is None


def test_what_a_step_costs(make_trial: MakeTrial) -> None:
    figures, warning = measure(make_trial(), device="cpu")
    assert warning is None
    assert figures.num_parameters == 64 * 16 + 16 + 16 * 10 + 10
    assert figures.flops_per_sample == 2 * (64 * 16 + 16 * 10)
    assert figures.seconds_per_step is not None
    assert 1e-5 < figures.seconds_per_step < 5
    assert figures.memory_bytes is not None
    # Weights, their gradients and two means of AdamW are there at the end of a step.
    assert 4 * 4 * figures.num_parameters < figures.memory_bytes < 1_000_000


def test_the_memory_of_what_is_alive_at_once_is_counted() -> None:
    kept = torch.ones(10)
    with peak_bytes(torch.device("cpu")) as peak:
        for _ in range(3):
            made = torch.empty(1000)
            made = made + 1
            view = kept[2:]
        del made, view
        torch.empty(10)
    # What `made` was, and is; and the next, before it takes the name.
    assert peak.num_bytes == 2 * 4000


def test_trying_changes_nothing_of_what_is_trained_afterwards(
    make_trial: MakeTrial, run_trial: Callable[..., object], tmp_path: Path
) -> None:
    before, _ = run_trial(make_trial(), tmp_path / "before")
    attempt(make_trial(), device="cpu")
    after, _ = run_trial(make_trial(), tmp_path / "after")
    assert [record.metrics for record in before] == [record.metrics for record in after]
