"""One trial from its first epoch to its result."""

import json
import math

import pytest
import torch

from craftc.training.data.prepare import prepare
from craftc.training.foundation import pulse
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import FILE, Beat, read_pulse

METRICS = ["accuracy", "balanced_accuracy", "auroc"]


def test_a_trial_learns_and_says_all_that_is_promised(make_trial, run_trial, tmp_path):
    trial = make_trial({"objective.metrics": [{"kind": kind} for kind in METRICS], "training.epochs": 8})
    records, result = run_trial(trial, tmp_path)

    measured = {f"{split}/{metric}" for split in ("train", "valid") for metric in ("loss", *METRICS)}
    assert [record.epoch for record in records] == list(range(1, 9))
    assert all(set(record.metrics) == measured | {"train/objective", "train/lr"} for record in records)
    everywhere = measured | {f"test/{metric}" for metric in ("loss", *METRICS)}
    assert set(result.best) == set(result.last) == set(result.trivial) == everywhere
    assert set(result.identities) == {"loss", *METRICS}
    assert result.best["test/accuracy"] > 0.6 > result.trivial["test/accuracy"]
    assert records[-1].metrics["train/objective"] < records[0].metrics["train/objective"]
    assert result.num_parameters == 64 * 16 + 16 + 16 * 10 + 10
    assert sum(result.split_sizes.values()) == sum(
        len(split) for split in prepare(trial.config["data"]).splits.values()
    )


def test_best_is_the_epoch_that_selection_says(make_trial, run_trial, tmp_path):
    settings = {"training.epochs": 5, "training.schedule": [{"kind": "constant"}], "training.optimizer.lr": 0.3}
    records, result = run_trial(make_trial(settings, seed=1), tmp_path)
    losses = [record.metrics["valid/loss"] for record in records]
    assert min(losses) < losses[-1], "the case is only of use where the last epoch is not the best"
    assert result.best_epoch == 1 + losses.index(min(losses))
    assert result.best["valid/loss"] == min(losses)
    assert result.last["valid/loss"] == losses[-1]
    assert result.best["test/loss"] != result.last["test/loss"]


def test_select_none_takes_the_last_epoch(make_trial, run_trial, tmp_path):
    settings = {"training.optimizer.lr": 0.3, "training.schedule": [{"kind": "constant"}], "training.epochs": 5}
    _, result = run_trial(make_trial(settings | {"evaluation.select": "none"}), tmp_path)
    assert result.best_epoch == result.epochs_trained == 5
    assert result.best == result.last
    assert (tmp_path / "checkpoints" / "best.pt").exists()


def test_the_last_partial_batch_is_trained_on(make_trial, run_trial, tmp_path):
    size = len(prepare(make_trial().config["data"]).splits["train"])
    records, result = run_trial(make_trial({"training.batch_size": size - 1, "training.epochs": 2}), tmp_path)
    assert [record.step for record in records] == [2, 4]
    assert result.steps == 4


def test_trivial_is_the_entropy_of_the_class_frequencies(make_trial, run_trial, tmp_path):
    trial = make_trial({"objective.class_weights": "none", "training.epochs": 1})
    _, result = run_trial(trial, tmp_path)
    counts = prepare(trial.config["data"]).class_counts
    entropy = -sum(count / counts.sum() * math.log(count / counts.sum()) for count in counts)
    assert result.trivial["train/loss"] == pytest.approx(entropy, rel=1e-5)
    assert result.trivial["train/accuracy"] == pytest.approx(counts.max() / counts.sum())


def test_class_weights_lift_the_rare_classes(make_trial, run_trial, tmp_path):
    common = {"data.source.imbalance": 20.0, "objective.metrics": [{"kind": "balanced_accuracy"}]}
    recalls = {}
    for weights in ("balanced", "none"):
        _, result = run_trial(make_trial(common | {"objective.class_weights": weights}), tmp_path / weights)
        recalls[weights] = result.last["valid/balanced_accuracy"]
    assert recalls["balanced"] > recalls["none"] + 0.05


def test_ema_is_what_is_evaluated_and_kept(make_trial, run_trial, tmp_path):
    plain, _ = run_trial(make_trial(), tmp_path / "plain")
    averaged, _ = run_trial(make_trial({"regularization.ema_decay": 0.9}), tmp_path / "averaged")
    assert plain[-1].metrics["train/objective"] == averaged[-1].metrics["train/objective"], "EMA changes no step"
    assert plain[-1].metrics["valid/loss"] != averaged[-1].metrics["valid/loss"]
    last = torch.load(tmp_path / "averaged/checkpoints/last.pt", weights_only=True)
    best = torch.load(tmp_path / "averaged/checkpoints/best.pt", weights_only=True)
    assert last["progress"]["selected"]["epoch"] == best["epoch"] == 3
    assert torch.equal(best["model"]["layers.1.weight"], last["ema"]["module.layers.1.weight"])
    assert not torch.equal(best["model"]["layers.1.weight"], last["model"]["layers.1.weight"])


def test_a_nan_loss_is_raised_with_its_epoch(make_trial, run_trial, tmp_path):
    trial = make_trial({"training.optimizer.lr": 1e30, "training.schedule": [{"kind": "constant"}]})
    with pytest.raises(TrainingError, match=r"in epoch 1; a lower learning rate") as caught:
        run_trial(trial, tmp_path)
    assert (caught.value.code, caught.value.epoch) == ("nan-loss", 1)
    assert not (tmp_path / "checkpoints").exists()


def test_a_model_that_cannot_be_built_is_named(make_trial, run_trial, tmp_path):
    vit = {"kind": "scanline_vit", "num_lines": "infer", "line_length": "infer", "num_classes": "infer"}
    with pytest.raises(TrainingError, match="10 is not divisible by num_heads 4") as caught:
        run_trial(make_trial({"model": vit | {"d_model": 10, "num_heads": 4}}), tmp_path)
    assert caught.value.code == "model-not-buildable"


@pytest.mark.parametrize(
    ("forward", "code", "message"),
    [
        ("return x.flatten(1) @ self.w[:, :3]", "model-output-shape", r"into \(2, 3\); expected .* = \(2, 10\)"),
        (
            "return [x]",
            "model-output-shape",
            r"into \(2, 8, 8\), the first of what it returned; expected logits \(batch, num_classes\)",
        ),
        ("return x @ self.w", "model-forward", r"on a batch of inputs, float32 of shape \(2, 8, 8\)"),
    ],
)
def test_a_users_model_with_a_wrong_output_is_named(
    make_trial, run_trial, tmp_path, monkeypatch, forward, code, message
):
    name = f"user_model_{abs(hash(forward))}"
    (tmp_path / f"{name}.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w = torch.nn.Parameter(torch.zeros(64, 10))\n"
        f"    def forward(self, x):\n        {forward}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TrainingError, match=message) as caught:
        run_trial(make_trial({"model": {"kind": f"{name}:Net"}}), tmp_path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "setting",
    [
        {"evaluation.select": {"metric": "valid/nothing", "mode": "min"}},
        {"training.early_stopping": {"metric": "valid/nothing", "mode": "min", "patience": 1, "min_delta": 0.0}},
        {"training.schedule": [{"kind": "reduce_on_plateau", "metric": "valid/nothing", "mode": "min"}]},
    ],
)
def test_a_watched_metric_that_is_not_recorded_is_an_error(make_trial, run_trial, tmp_path, setting):
    with pytest.raises(
        TrainingError, match="watches valid/nothing, which nothing computes; recorded: train/accuracy"
    ) as caught:
        run_trial(make_trial(setting), tmp_path)
    assert caught.value.code == "metric-not-recorded"


def test_early_stopping_ends_before_the_plan(make_trial, run_trial, tmp_path):
    stopping = {"metric": "valid/accuracy", "mode": "max", "patience": 2, "min_delta": 1.0}
    records, result = run_trial(make_trial({"training.epochs": 9, "training.early_stopping": stopping}), tmp_path)
    assert (len(records), result.epochs_trained, result.epochs_planned) == (3, 3, 9)


def test_the_history_has_a_line_per_epoch(make_trial, run_trial, tmp_path):
    records, _ = run_trial(make_trial(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["valid/loss"] for line in lines] == [record.metrics["valid/loss"] for record in records]
    assert set(lines[0]) == {"trial", "epoch", "step", "seconds", "seal", *records[0].metrics}


def test_warm_up_rises_step_by_step(make_trial, run_trial, tmp_path):
    records, _ = run_trial(make_trial({"training.epochs": 2}), tmp_path)
    steps = records[0].step
    assert records[0].metrics["train/lr"] == pytest.approx(0.01 * (steps - 1) / steps)


def test_a_learning_rate_on_a_plateau_falls(make_trial, run_trial, tmp_path):
    plateau = {"kind": "reduce_on_plateau", "metric": "train/lr", "mode": "min", "factor": 0.5, "patience": 1}
    records, _ = run_trial(make_trial({"training.schedule": [plateau]}), tmp_path)
    assert [record.metrics["train/lr"] for record in records] == [0.01, 0.01, 0.005]


def test_how_far_an_epoch_is_can_be_read_and_changes_nothing(make_trial, run_trial, tmp_path, monkeypatch):
    """With a beat at every step, in the place of one each half a minute."""
    trial = make_trial({"training.epochs": 2})
    silent, _ = run_trial(trial, tmp_path / "silent")
    assert not (tmp_path / "silent" / FILE).exists()
    beats = []
    write = pulse.write_unflushed
    monkeypatch.setattr(pulse, "EVERY_S", 0.0)
    monkeypatch.setattr(
        pulse, "write_unflushed", lambda path, text: (write(path, text), beats.append(read_pulse(path.parent)))
    )
    shown, _ = run_trial(trial, tmp_path / "shown")
    steps = silent[0].step
    assert beats == [Beat(epoch, step, steps) for epoch in (1, 2) for step in range(1, steps + 1)]
    assert not (tmp_path / "shown" / FILE).exists()
    assert [record.metrics for record in shown] == [record.metrics for record in silent]
