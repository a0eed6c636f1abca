"""A metric that is not finite in an epoch is no improvement there, and ends no trial."""

import json

import pytest
import torch

from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import train_together
from craftc.training.state.member import Member

METRICS = """
import torch
class Scripted:
    mode = "max"
    values = []
    def __init__(self): self.calls = 0
    def reset(self): pass
    def update(self, logits, targets): pass
    def compute(self):
        # Once to try it; then train and valid in every epoch.
        epoch, self.calls = (self.calls - 1) // 2, self.calls + 1
        return self.values[epoch] if 0 <= epoch < len(self.values) else 0.25
class Divided(Scripted):
    def compute(self): return 0.0 / 0.0
"""
NAN, INF = float("nan"), float("inf")
SELECT = {"evaluation.select": {"metric": "valid/Scripted", "mode": "max"}}
STOP = {"metric": "valid/Scripted", "mode": "max", "patience": 2, "min_delta": 0.0}
PLATEAU = {"kind": "reduce_on_plateau", "metric": "valid/Scripted", "mode": "max", "factor": 0.5, "patience": 1}


@pytest.fixture
def scripted(make_trial, tmp_path, monkeypatch):
    """A trial that measures the values, epoch by epoch, beside others of the spec."""
    (tmp_path / "scripted_metrics.py").write_text(METRICS)
    monkeypatch.syspath_prepend(tmp_path)
    import scripted_metrics

    def make(values, settings=None, kind="Scripted"):
        monkeypatch.setattr(scripted_metrics.Scripted, "values", values)
        metrics = [{"kind": "accuracy"}, {"kind": f"scripted_metrics:{kind}"}]
        return make_trial({"objective.metrics": metrics, "training.epochs": 4, **(settings or {})})

    return make


@pytest.mark.parametrize(
    ("values", "best_epoch", "count"),
    [([NAN, 0.5, NAN, 0.7], 4, 2), ([0.5, INF, NAN, 0.4], 1, 2), ([NAN, 0.5, -INF, NAN], 2, 3)],
)
def test_such_an_epoch_is_not_selected(scripted, run_trial, tmp_path, values, best_epoch, count):
    records, result = run_trial(scripted(values, SELECT), tmp_path)
    assert (len(records), result.best_epoch) == (4, best_epoch)
    assert result.best["valid/Scripted"] == values[best_epoch - 1]
    assert result.not_finite == {"train/Scripted": count, "valid/Scripted": count}
    assert ["valid/Scripted" in record.metrics for record in records] == [abs(v) < 1 for v in values]


def test_where_all_epochs_are_such_the_last_is_selected(scripted, run_trial, tmp_path):
    _, result = run_trial(scripted([NAN] * 4, SELECT), tmp_path)
    assert (result.best_epoch, result.not_finite["valid/Scripted"]) == (4, 4)
    assert "valid/Scripted" not in result.best
    assert result.best["test/accuracy"] == result.last["test/accuracy"]


def test_early_stopping_and_a_plateau_take_it_for_no_improvement(scripted, run_trial, tmp_path):
    stopped = scripted([0.5, NAN, NAN, 0.9], {"training.early_stopping": STOP})
    assert run_trial(stopped, tmp_path / "stopped")[1].epochs_trained == 3
    plateau = scripted([0.5, NAN, 0.9, 0.9], {"training.schedule": [PLATEAU]})
    records, _ = run_trial(plateau, tmp_path / "plateau")
    assert [record.metrics["train/lr"] for record in records] == [0.01, 0.01, 0.005, 0.005]


def test_a_division_by_zero_is_no_number_either(scripted, run_trial, tmp_path):
    _, result = run_trial(scripted([], kind="Divided"), tmp_path)
    assert result.not_finite == {"train/Divided": 4, "valid/Divided": 4, "test/Divided": 1 + (result.best_epoch != 4)}


def test_an_interrupted_trial_goes_on_counting(scripted, run_trial, tmp_path):
    trial = scripted([NAN, 0.5, NAN, 0.7], SELECT)
    straight = run_trial(trial, tmp_path / "straight")[1]
    epochs = train_together([Member(trial, tmp_path / "cut")], device="cpu")
    while getattr(next(epochs), "epoch", None) != 2:
        pass
    epochs.close()
    # The new process's metric has been asked nothing yet.
    import scripted_metrics

    scripted_metrics.Scripted.values = [NAN, 0.7]
    resumed = run_trial(trial, tmp_path / "cut")[1]
    assert resumed.not_finite == straight.not_finite
    assert (resumed.best_epoch, resumed.best) == (straight.best_epoch, straight.best)
    lines = [json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert ["valid/Scripted" in line for line in lines] == [False, True, False, True]


def test_a_name_that_nothing_computes_is_another_error(scripted, run_trial, tmp_path):
    trial = scripted([NAN] * 4, {"evaluation.select": {"metric": "valid/Scriptd", "mode": "max"}})
    with pytest.raises(TrainingError, match="watches valid/Scriptd, which nothing computes") as caught:
        run_trial(trial, tmp_path)
    assert caught.value.code == "metric-not-recorded"


def test_trials_that_share_a_training_select_each_by_its_own(scripted, tmp_path):
    by_ratio = scripted([NAN, 0.5, NAN, 0.4], SELECT)
    by_loss = by_ratio.model_copy(
        update={
            "id": "f" * 64,
            "config": by_ratio.config | {"evaluation": {"select": {"metric": "valid/loss", "mode": "min"}}},
        }
    )
    members = [Member(trial, tmp_path / trial.id) for trial in (by_ratio, by_loss)]
    results = {r.trial: r for r in train_together(members, device="cpu") if hasattr(r, "best_epoch")}
    assert results[by_ratio.id].best_epoch == 2
    assert results[by_loss.id].best_epoch != 0
    assert all(result.not_finite["valid/Scripted"] == 2 for result in results.values())


def test_counts_are_divided_in_float64():
    from torchmetrics.classification import MulticlassAccuracy, MulticlassCohenKappa

    from craftc.training.parts.metrics import computed

    logits, targets = torch.eye(10)[torch.arange(10)], torch.tensor([*range(9), 0])
    accuracy = MulticlassAccuracy(10, average="micro")
    accuracy.update(logits, targets)
    assert (computed("accuracy", accuracy), float(accuracy.tp)) == (0.9, 9.0)
    assert accuracy.tp.dtype == torch.int64
    accuracy.update(logits, targets)
    assert computed("accuracy", accuracy) == 0.9
    kappa = MulticlassCohenKappa(10)
    kappa.update(logits, targets)
    assert computed("kappa", kappa) == pytest.approx(float(kappa.compute()), abs=1e-6)
