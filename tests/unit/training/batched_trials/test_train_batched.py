"""Whole trainings in batches of them: who comes, goes, breaks and comes back, against the same ones alone."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.batched_trials import speed as measure
from craftc.training.batched_trials.train import Dropped, Findings, train_batched
from craftc.training.foundation import pulse
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.training import Begun, Failed
from craftc.training.loop.trial import train_trial
from craftc.training.state.history import read_history
from craftc.training.state.member import Member

MakeTrial = Callable[..., Trial]
STOPPED = {"metric": "valid/accuracy", "mode": "max", "patience": 1, "min_delta": 1.0}
SETTINGS: list[dict[str, Any]] = [
    {"training.epochs": 7},
    {"training.epochs": 2, "model.dropout": 0.0},
    {"training.epochs": 5, "training.early_stopping": STOPPED},
    {"training.epochs": 1, "training.optimizer.lr": 0.1},
    {"training.epochs": 4, "regularization.clip_grad_norm": 0.1},
]


def of_size(size: int) -> BatchFinding:
    """Known before: so many at a time take no longer than one."""
    return BatchFinding(seconds={1: 1.0, size: 1.0})


def told_of(
    trials: Sequence[Trial] | Sequence[Sequence[Trial]],
    folder: Path,
    known: BatchFinding | None,
    *,
    decide: Callable[[EpochRecord], bool] = lambda record: True,
    until: int | None = None,
    keep: Callable[[BatchFinding], None] = lambda finding: None,
) -> list[Any]:
    """All that is told, or what is told until so many epochs are over."""
    trainings = [[trial] if isinstance(trial, Trial) else trial for trial in trials]
    members = [[Member(trial, folder / trial.id) for trial in training] for training in trainings]
    told: list[Any] = []
    with closing(train_batched(members, device="cpu", findings=Findings(known, keep), decide=decide)) as training:
        for item in training:
            told.append(item)
            if until is not None and sum(isinstance(each, EpochRecord) for each in told) == until:
                break
    return told


def ends(told: Sequence[Any]) -> dict[str, Any]:
    """The result or error of each trial."""
    return {item.trial: item for item in told if isinstance(item, Result | Failed | Dropped)}


def alone(trial: Trial, folder: Path) -> Result:
    epochs = train_trial(trial, folder=folder / trial.id, device="cpu")
    while True:
        try:
            next(epochs)
        except StopIteration as end:
            result: Result = end.value
            return result


def assert_alike(trial: Trial, result: Result, folder: Path, apart: Path) -> None:
    """A trial in a batch came to what it comes to alone, epoch by epoch; one sample more or less may be right."""
    expected = alone(trial, apart)
    assert (result.best_epoch, result.epochs_trained) == (expected.best_epoch, expected.epochs_trained)
    ours, theirs = (read_history(root / trial.id, trial.id).records for root in (folder, apart))
    assert [(record.epoch, record.step) for record in ours] == [(record.epoch, record.step) for record in theirs]
    pairs = [(one.metrics, other.metrics) for one, other in zip(ours, theirs, strict=True)]
    for found, wanted in [*pairs, (result.best, expected.best), (result.last, expected.last)]:
        for name, value in wanted.items():
            assert found[name] == pytest.approx(value, rel=1e-4, abs=0.01 if "accuracy" in name else 1e-6), name


def test_who_ends_makes_room_and_nobody_else_changes(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = [make_trial(own, seed=seed) for seed, own in enumerate(SETTINGS)]
    told = told_of(trials, tmp_path / "batch", of_size(2))
    assert [item.epoch for item in told if isinstance(item, Begun)] == [0] * 5
    found = ends(told)
    for trial in trials:
        assert found[trial.id].execution.batched == 2
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")
    # Two at a time: the third begins where the second has ended.
    order = [item.trial for item in told if isinstance(item, Begun | Result)]
    assert order.index(trials[1].id) < order.index(trials[2].id)
    assert order.index(trials[2].id) > [item.trial for item in told if isinstance(item, Result)].index(trials[1].id)


def test_norms_of_gradients_are_each_trials_own(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = [make_trial(own | {"evaluation.gradient_norms": True}, seed=seed) for seed, own in enumerate(SETTINGS[:3])]
    found = ends(told_of(trials, tmp_path / "batch", of_size(3)))
    for trial in trials:
        assert found[trial.id].execution.batched == 3
        first, *_ = read_history(tmp_path / "batch" / trial.id, trial.id).records
        norms = [name for name in first.metrics if "gradient_norm" in name]
        assert len(norms) == 4
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_units_are_clipped_in_each_trial_by_its_own_factor(make_trial: MakeTrial, tmp_path: Path) -> None:
    factors = [0.002, 0.05, "none"]
    common = {"training.optimizer.lr": 0.1, "model.dropout": 0.0}
    trials = [make_trial(common | {"regularization.adaptive_clip": factor}) for factor in factors]
    found = ends(told_of(trials, tmp_path / "batch", of_size(3)))
    for trial in trials:
        assert found[trial.id].execution.batched == 3
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")
    assert len({found[trial.id].best["train/loss"] for trial in trials}) == 3


def test_one_that_records_no_norms_is_left_out_of_the_batch(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = [make_trial({"evaluation.gradient_norms": True}), make_trial()]
    told = told_of(trials, tmp_path, None)
    assert not any(isinstance(item, Result) and item.execution.batched > 1 for item in told)


def test_records_that_end_within_passes_are_those_of_a_trial_alone(make_trial: MakeTrial, tmp_path: Path) -> None:
    """Two enter where the others are within a pass, and last records are of other lengths."""
    lengths: list[dict[str, Any]] = [
        {"training.max_steps": 27},
        {"training.max_steps": 13},
        {"training.epochs": 2},
        {"training.max_steps": 20},
    ]
    common = {"evaluation.every": {"steps": 8}, "model.dropout": 0.0}
    trials = [make_trial(common | own, seed=seed) for seed, own in enumerate(lengths)]
    found = ends(told_of(trials, tmp_path / "batch", of_size(2)))
    assert [found[trial.id].execution.batched for trial in trials[:2]] == [2, 2]
    for trial in trials:
        assert found[trial.id].epochs_trained == found[trial.id].epochs_planned
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_passes_and_stages_after_training_are_those_of_a_trial_alone(make_trial: MakeTrial, tmp_path: Path) -> None:
    splits = {"train": 0.4, "valid": 0.2, "calib": {"share": 0.2, "for": "calibrate"}, "test": 0.2, "stratify": True}
    tiles = {"views": {"kind": "tiles", "n": 2, "top_k": 2, "whole": True}, "every_epoch": False}
    common = {
        "data.splits": splits | {"seed": 0},
        "evaluation.passes": {"tiles": tiles},
        "evaluation.after": [{"kind": "temperature", "fit": "calib"}],
    }
    trials = [make_trial(common | {"training.epochs": epochs}, seed=epochs) for epochs in (2, 3)]
    found = ends(told_of(trials, tmp_path / "batch", of_size(2)))
    for trial in trials:
        assert found[trial.id].execution.batched == 2
        assert {"test/tiles.loss", "valid/temperature.accuracy"} <= found[trial.id].best.keys()
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_a_loss_that_is_no_number_hurts_nobody_else(make_trial: MakeTrial, tmp_path: Path) -> None:
    sgd = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    common: dict[str, Any] = {"training.optimizer": sgd, "regularization.clip_grad_norm": "none"}
    trials = [make_trial(common | {"training.optimizer": sgd | {"lr": lr}}) for lr in (0.1, 1e30, 0.05)]
    found = ends(told_of(trials, tmp_path / "batch", of_size(3)))
    failed = found[trials[1].id]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TrainingError)
    with pytest.raises(TrainingError) as error:
        alone(trials[1], tmp_path / "alone")
    assert (failed.error.code, str(failed.error)) == (error.value.code, str(error.value))
    for trial in (trials[0], trials[2]):
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_what_was_interrupted_goes_on_alone_and_in_other_company(make_trial: MakeTrial, tmp_path: Path) -> None:
    folder, common = tmp_path / "batch", {"training.epochs": 4, "regularization.ema_decay": 0.9}
    trials = [make_trial(common, seed=seed) for seed in range(4)]
    told_of(trials[:3], folder, of_size(3), until=5)
    # Alone from behind its second epoch, and the other two with one that begins.
    first = alone(trials[0], folder)
    told = told_of(trials[1:], folder, of_size(3))
    assert [item.epoch for item in told if isinstance(item, Begun)] == [2, 2, 0]
    found = ends(told) | {trials[0].id: first}
    for trial in trials:
        assert_alike(trial, found[trial.id], folder, tmp_path / "alone")


def test_a_training_begun_alone_goes_on_in_a_batch(make_trial: MakeTrial, tmp_path: Path) -> None:
    folder, trials = tmp_path / "batch", [make_trial(seed=seed) for seed in range(2)]
    with closing(train_trial(trials[0], folder=folder / trials[0].id, device="cpu")) as epochs:
        next(epochs)
    told = told_of(trials, folder, of_size(2))
    assert [item.epoch for item in told if isinstance(item, Begun)] == [1, 0]
    for trial in trials:
        assert_alike(trial, ends(told)[trial.id], folder, tmp_path / "alone")


def test_a_trial_that_is_decided_to_end_leaves(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = [make_trial(seed=seed) for seed in range(3)]
    told = told_of(
        trials, tmp_path / "batch", of_size(2), decide=lambda record: (record.trial, record.epoch) != (trials[0].id, 2)
    )
    found = ends(told)
    assert found[trials[0].id] == Dropped(trials[0].id, 2)
    assert len(read_history(tmp_path / "batch" / trials[0].id, trials[0].id).records) == 2
    for trial in trials[1:]:
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_trials_that_share_a_training_are_one_of_a_batch(make_trial: MakeTrial, tmp_path: Path) -> None:
    constant = {"training.schedule": [{"kind": "constant", "epochs": "none"}]}
    shared = [make_trial(constant | {"training.epochs": epochs}) for epochs in (4, 2)]
    other = make_trial(constant, seed=1)
    found = ends(told_of([shared, [other]], tmp_path / "batch", of_size(2)))
    for trial in (*shared, other):
        assert found[trial.id].execution.batched == 2
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_heads_on_a_frozen_backbone_are_a_batch_augmented_or_not(make_trial: MakeTrial, tmp_path: Path) -> None:
    vit = {
        "kind": "scanline_vit", "num_lines": "infer", "line_length": "infer", "num_classes": "infer", "d_model": 8,
        "num_layers": 1, "num_heads": 2, "d_ffn": 8, "dropout": 0.1,
    }  # fmt: skip
    head = {"kind": "linear", "num_features": "infer", "num_classes": "infer"}
    model = {"kind": "frozen_backbone", "backbone": vit, "weights": "random", "features": "infer", "head": head}
    noise = {"kind": "gaussian_noise", "std": 0.05, "p": 1.0}
    for name, augment in (("augmented", [noise]), ("as they are", [])):
        # One seed, by which the backbone is drawn.
        rates = ({"training.optimizer.lr": lr, "model": model, "data.augment": augment} for lr in (0.01, 0.003))
        trials = [make_trial(own) for own in rates]
        found = ends(told_of(trials, tmp_path / name, of_size(2)))
        for trial in trials:
            assert found[trial.id].execution.batched == 2
            assert_alike(trial, found[trial.id], tmp_path / name, tmp_path / f"{name}, alone")


OWN = """
import random

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, *, p=0.5):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(x.flatten(1))

class Peeks(Net):
    def forward(self, x):
        logits = super().forward(x)
        return logits / max(1.0, logits.abs().max().item())

class Branches(Net):
    def forward(self, x):
        logits = super().forward(x)
        return logits if logits.sum() > 0 else 2 * logits

class Rolls(Net):
    def forward(self, x):
        return super().forward(x) + 0.01 * torch.rand(len(x), 10)

class Tosses(Net):
    def forward(self, x):
        return super().forward(x) * (1 + 0.01 * random.random())

class Counts(Net):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) / self.calls

class Replaces(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        logits = super().forward(x)
        self.mean = 0.9 * self.mean + 0.1 * logits.detach().mean()
        return logits - self.mean

class Recurs(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])

class Descent(torch.optim.SGD):
    pass

class PeeksAtLast(Peeks):
    def forward(self, x):
        return Net.forward(self, x) if self.training else super().forward(x)

class TossesAtLast(Tosses):
    def forward(self, x):
        return Net.forward(self, x) if self.training else super().forward(x)

class ReplacesAtLast(Replaces):
    def forward(self, x):
        return Net.forward(self, x) if self.training else super().forward(x)

class Picky:
    def __init__(self, num_classes, /):
        self.largest = 0.0

    def reset(self):
        self.largest = 0.0

    def update(self, logits, targets):
        self.largest = max(self.largest, float(logits.abs().max()))
        if self.largest > 1000:
            raise ValueError("a logit beyond all bounds")

    def compute(self):
        return self.largest + random.random()
"""
REASONS = {
    "Peeks": "Tensor.item(), which needs the value of one model",
    "Branches": "a branch on the values of a tensor",
    "Rolls": "random numbers of torch's global generators",
    "Tosses": "random numbers of Python or numpy",
    "Counts": "a step changes what it keeps outside of its buffers",
    "Replaces": "buffer mean is replaced in a step, not updated in place",
}


@pytest.fixture
def _own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unbatchable_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    # As if far more were left to train.
    monkeypatch.setattr(measure, "LEAST_REPAID", 0)


def why_alone(trials: Sequence[Trial], folder: Path) -> str:
    """What is told and kept of trainings that are not one batch. Nothing of them is begun."""
    kept: list[BatchFinding] = []
    [told] = told_of(trials, folder, None, keep=kept.append)
    assert [finding.because for finding in kept] == [told]
    # What is known says the same again.
    assert told_of(trials, folder, kept[0]) == [told]
    return str(told)


@pytest.mark.usefixtures("_own_parts")
@pytest.mark.parametrize("model", REASONS)
def test_what_cannot_be_one_batch_is_left_as_it_is_and_said_why(
    make_trial: MakeTrial, tmp_path: Path, model: str
) -> None:
    kind = f"unbatchable_parts:{model}"
    trials = [make_trial({"model": {"kind": kind}, "data.augment": []}, seed=seed) for seed in range(3)]
    assert why_alone(trials, tmp_path / "batch") == f"model {kind}: {REASONS[model]}"
    assert not list((tmp_path / "batch").rglob("*.pt"))


@pytest.mark.usefixtures("_own_parts")
def test_an_operation_that_only_goes_one_by_one_and_an_optimizer_of_ones_own_are_left(
    make_trial: MakeTrial, tmp_path: Path
) -> None:
    recurring = [make_trial({"model": {"kind": "unbatchable_parts:Recurs"}}, seed=seed) for seed in range(2)]
    assert "model unbatchable_parts:Recurs: " in why_alone(recurring, tmp_path / "one")
    own = {"training.optimizer": {"kind": "unbatchable_parts:Descent", "lr": 0.1}}
    reason = why_alone([make_trial(own, seed=seed) for seed in range(2)], tmp_path / "other")
    assert reason == "optimizer unbatchable_parts:Descent is not one that a batch knows"


@pytest.mark.usefixtures("_own_parts")
def test_what_is_measured_is_kept_and_decides(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials, kept = [make_trial(seed=seed) for seed in range(4)], []
    told = told_of(trials, tmp_path / "batch", None, keep=kept.append)
    [finding] = kept
    assert sorted(finding.seconds) == [1, 4]
    assert finding.training_bytes > 0
    size = finding.best_size(4)
    if size == 1:
        assert told == ["a batch is not faster here"]
    else:
        assert {item.execution.batched for item in ends(told).values()} == {size}


@pytest.mark.usefixtures("_own_parts")
def test_what_was_measured_of_few_does_not_bound_many(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials, kept = [make_trial(seed=seed) for seed in range(6)], []
    few = BatchFinding(seconds={1: 1.0, 3: 1.5})
    told_of(trials, tmp_path / "batch", few, keep=kept.append)
    assert [sorted(finding.seconds) for finding in kept] == [[1, 4, 6]]
    # Where memory was the bound, or as many were measured, it stands.
    for known in (few.model_copy(update={"most": 3}), BatchFinding(seconds={1: 1.0, 6: 2.0})):
        told_of(trials, tmp_path / str(known.most), known, keep=lambda finding: pytest.fail("measured"))


@pytest.mark.usefixtures("_own_parts")
def test_trainings_that_diverge_at_once_prove_nothing(make_trial: MakeTrial, tmp_path: Path) -> None:
    sgd = {"kind": "sgd", "lr": 1e30, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    settings = {"training.optimizer": sgd, "regularization.clip_grad_norm": "none"}
    constant = {"training.schedule": [{"kind": "constant"}]}
    trials = [make_trial(settings | constant, seed=seed) for seed in range(3)]
    assert told_of(trials, tmp_path / "batch", None, keep=lambda finding: pytest.fail("kept")) == []


def test_too_little_to_train_is_not_measured(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = [make_trial(seed=seed) for seed in range(4)]
    assert told_of(trials, tmp_path / "batch", None, keep=lambda finding: pytest.fail("measured")) == []


FEW = {"train": 0.6, "valid": 0.05, "test": 0.35, "stratify": True, "seed": 0}
"""So few samples to look at that models look at them as one."""


@pytest.mark.usefixtures("_own_parts")
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("PeeksAtLast", "model: Tensor.item(), which needs the value of one model"),
        ("TossesAtLast", "model: random numbers of Python or numpy"),
        ("ReplacesAtLast", "model: buffer mean is replaced in evaluation, not updated in place"),
    ],
)
def test_a_model_that_is_evaluated_otherwise_than_trained_is_evaluated_alone(
    make_trial: MakeTrial, tmp_path: Path, caplog: pytest.LogCaptureFixture, model: str, reason: str
) -> None:
    own: dict[str, Any] = {"model": {"kind": f"unbatchable_parts:{model}"}, "data.splits": FEW}
    trials = [make_trial(own | {"training.epochs": 2}, seed=seed) for seed in range(2)]
    caplog.set_level("INFO", "craftc")
    found = ends(told_of(trials, tmp_path / "batch", of_size(2)))
    [line] = [line for line in caplog.messages if "one after another" in line]
    assert line.endswith(reason)
    for trial in trials:
        assert found[trial.id].execution.batched == 2
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


@pytest.mark.usefixtures("_own_parts")
def test_a_metric_that_fails_concerns_its_own_trial(
    make_trial: MakeTrial, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    common = {"data.splits": FEW, "objective.metrics": [{"kind": "unbatchable_parts:Picky"}]}
    optimizers = [{"training.optimizer.lr": lr} for lr in (0.01, 300.0, 0.003)]
    trials = [make_trial(common | own) for own in optimizers]
    found = ends(told_of(trials, tmp_path / "batch", of_size(3)))
    with pytest.raises(TrainingError, match="a logit beyond all bounds") as error:
        alone(trials[1], tmp_path / "alone")
    assert [line for line in caplog.messages if line.endswith(str(error.value))]
    assert trials[1].id not in found
    for trial in (trials[0], trials[2]):
        # Its random number is that of the trial and epoch, too.
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


def test_a_loss_that_only_evaluation_finds_is_no_number_fails_as_alone(make_trial: MakeTrial, tmp_path: Path) -> None:
    sgd = {"kind": "sgd", "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    common = {"data.splits": FEW, "training.batch_size": 4096, "regularization.clip_grad_norm": "none"}
    common["training.schedule"] = [{"kind": "constant", "epochs": "none"}]
    trials = [make_trial(common | {"training.optimizer": sgd | {"lr": lr}}) for lr in (0.1, 0.05, 1e30)]
    found = ends(told_of(trials, tmp_path / "batch", of_size(3)))
    with pytest.raises(TrainingError, match="train/loss became") as error:
        alone(trials[2], tmp_path / "alone")
    assert str(found[trials[2].id].error) == str(error.value)
    assert_alike(trials[0], found[trials[0].id], tmp_path / "batch", tmp_path / "alone")


def test_how_far_an_epoch_is_can_be_read_of_each(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[tuple[str, pulse.Beat | None]] = []
    write = pulse.write_unflushed

    def record(path: Path, text: bytes) -> None:
        write(path, text)
        beats.append((path.parent.name, pulse.read_pulse(path.parent)))

    monkeypatch.setattr(pulse, "EVERY_S", 0.0)
    monkeypatch.setattr(pulse, "write_unflushed", record)
    trials = [make_trial({"training.epochs": 1}, seed=seed) for seed in (0, 1)]
    told = told_of(trials, tmp_path, of_size(2))
    steps = next(item.step for item in told if isinstance(item, EpochRecord))
    for trial in trials:
        own = [beat for name, beat in beats if name == trial.id]
        assert own == [pulse.Beat(1, step, steps) for step in range(1, steps + 1)]
        assert not (tmp_path / trial.id / pulse.FILE).exists()


FACTS = {"num_classes": "infer", "num_channels": "infer"}
IMAGES: dict[str, Any] = {"data.layout": "channels", "data.augment": [], "data.splits": FEW, "training.epochs": 2}


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "cnn", "widths": [4, 8], "dropout": 0.2},
        {"kind": "cnn", "widths": [4], "norm": "group", "pooling": "mean"},
        {"kind": "resnet", "blocks": 1, "widths": [4, 8], "dropout": 0.2},
    ],
    ids=lambda model: "-".join(map(str, model.values())),
)
def test_convolutions_and_their_normalizations_are_a_batch(
    make_trial: MakeTrial, tmp_path: Path, model: dict[str, Any]
) -> None:
    rates = [0.0, 0.4] if "dropout" in model else [0.0, 0.0]
    settings = [{**IMAGES, "model": {**FACTS, **model, "dropout": rate}} for rate in rates]
    trials = [make_trial(own, seed=seed) for seed, own in enumerate(settings)]
    found = ends(told_of(trials, tmp_path / "batch", of_size(2)))
    for trial in trials:
        assert found[trial.id].execution.batched == 2
        assert_alike(trial, found[trial.id], tmp_path / "batch", tmp_path / "alone")


@pytest.mark.usefixtures("_own_parts")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "test_resnet", "dropout": 0.2}, "random numbers of torch's global generators"),
        ({"name": "test_vit", "patch_size": 2}, "has no rule for several models at once"),
    ],
)
def test_why_a_model_of_timm_is_trained_alone(
    make_trial: MakeTrial, tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    model = {"kind": "timm", **FACTS, "image_height": "infer", "image_width": "infer", **arguments}
    trials = [make_trial({**IMAGES, "model": model}, seed=seed) for seed in range(2)]
    assert why_alone(trials, tmp_path / "batch").endswith(reason)
