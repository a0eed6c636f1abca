"""The trivial predictor has a value only of what says that class frequencies mean something to it."""

import pytest

OWN = """
import torch
from torch import nn
class Rmse:
    mode = "min"
    def reset(self): self.seen = []
    def update(self, logits, targets):
        if bool((logits == logits[0]).all()):
            raise RuntimeError("nothing varies")
        self.seen.append(((logits[:, 0] - targets) ** 2).mean())
    def compute(self): return torch.stack(self.seen).mean().sqrt()
class Confident:
    mode = "max"
    bounds = (0.0, 1.0)
    trivial = "class_frequencies"
    def reset(self): self.seen = []
    def update(self, logits, targets): self.seen.append(logits.softmax(-1).amax(-1))
    def compute(self): return torch.cat(self.seen).mean()
class Loss(nn.Module):
    def forward(self, logits, targets): return nn.functional.cross_entropy(logits, targets) - 0.5
"""
KINDS = ["accuracy", "own_measures:Rmse", "own_measures:Confident", "torchmetrics.classification:MulticlassF1Score"]


@pytest.fixture
def own(make_trial, tmp_path, monkeypatch):
    (tmp_path / "own_measures.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def make(objective):
        metrics = [{"kind": kind} for kind in KINDS]
        metrics[-1] |= {"num_classes": 10}
        return make_trial({"objective": objective | {"metrics": metrics}, "training.epochs": 1})

    return make


def test_a_metric_of_ones_own_has_none_unless_it_declares_it(own, run_trial, tmp_path):
    _, result = run_trial(own({"kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.0}), tmp_path)
    of_test = {name for name in result.trivial if name.startswith("test/")}
    assert of_test == {"test/loss", "test/accuracy", "test/Confident", "test/MulticlassF1Score"}
    assert result.trivial["test/Confident"] == pytest.approx(result.trivial["train/Confident"])
    assert result.shares == ("accuracy", "Confident", "MulticlassF1Score")


@pytest.mark.parametrize(("kind", "has_loss"), [("own_measures:Loss", False), ("torch.nn:CrossEntropyLoss", True)])
def test_an_objective_of_ones_own_has_none_either(own, run_trial, tmp_path, kind, has_loss):
    _, result = run_trial(own({"kind": kind}), tmp_path)
    assert ("test/loss" in result.trivial) == has_loss
    assert "test/accuracy" in result.trivial
