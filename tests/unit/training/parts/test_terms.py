"""An objective of terms against plain torch: losses, gradients, what is recorded, and what a weight of 0 means."""

import copy
import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.train_steps import begin_record, train_steps
from craftc.training.parts.terms import mean_of

CPU = torch.device("cpu")
OWN = """
import numpy as np
import torch
from craftc.components.sources.columns import Column

def padded():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4, 6))
    mask = np.arange(4) < rng.integers(1, 5, size=60)[:, None]
    return {"x": x, "mask": mask, "y": x @ rng.normal(size=(6, 6)) * mask[..., None]}

class Brier(torch.nn.Module):
    def forward(self, logits, targets):
        hits = torch.nn.functional.one_hot(targets, logits.shape[-1])
        return (logits.softmax(-1) - hits).square().sum(-1).mean()

class Undefined(torch.nn.Module):
    def forward(self, logits, targets):
        return (logits.sum() * 0).log() - (logits.sum() * 0).log()
"""
CLASSES: dict[str, Any] = {
    "weighted": {"kind": "cross_entropy", "class_weights": "balanced", "label_smoothing": 0.0, "weight": 0.7},
    "brier": {"kind": "own_terms:Brier", "weight": 0.3},
    "measured": {"kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.2, "weight": 0.0},
}
VECTORS: dict[str, Any] = {"cosine": {"kind": "cosine", "weight": 0.9}, "mse": {"kind": "mse", "weight": 0.1}}
LINEAR = {"kind": "linear", "num_features": "infer", "num_classes": "infer"}
SGD = {"kind": "sgd", "lr": 0.05, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
PLAIN: dict[str, Any] = {
    "model": LINEAR,
    "data.augment": [],
    "data.normalize": {"kind": "none"},
    "regularization.clip_grad_norm": "none",
    "training.optimizer": SGD,
    "training.schedule": [{"kind": "constant", "epochs": "none"}],
    "training.precision": "float64",
    "training.epochs": 2,
    "training.batch_size": 16,
}
OF_CLASSES = PLAIN | {"objective": {"terms": CLASSES, "metrics": [{"kind": "accuracy"}]}}
OF_VECTORS = PLAIN | {
    "data.source": {"kind": "own_terms:padded"},
    "data.target": "none",
    "objective": {"terms": VECTORS, "metrics": [{"kind": "cosine_similarity"}]},
    "model": {"kind": "torch.nn:Linear", "in_features": 6, "out_features": 6},
}


def classes_by_hand(parts, output, batch):
    counts = torch.bincount(batch["all"], minlength=10).double()
    weights = counts.sum() / (10 * counts)
    weighted = F.cross_entropy(output, batch["y"], weights.float().double())
    brier = (output.softmax(-1) - F.one_hot(batch["y"], 10)).square().sum(-1).mean()
    measured = F.cross_entropy(output, batch["y"], label_smoothing=float(torch.tensor(0.2)))
    return {"brier": brier, "measured": measured, "weighted": weighted}, 0.7 * weighted + 0.3 * brier


def vectors_by_hand(parts, output, batch):
    mask, y = batch["mask"], batch["y"]
    cosine = (1 - torch.nn.CosineSimilarity(dim=-1)(output[mask], y[mask])).mean()
    mse = F.mse_loss(output[mask], y[mask])
    return {"cosine": cosine, "mse": mse}, 0.9 * cosine + 0.1 * mse


CASES = {"classes": (OF_CLASSES, classes_by_hand), "vectors": (OF_VECTORS, vectors_by_hand)}


@pytest.fixture(autouse=True)
def own_code(tmp_path, monkeypatch):
    (tmp_path / "own_terms.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def open_parts(make_trial):
    def build(settings):
        trial = make_trial(copy.deepcopy(settings))
        data = prepare(trial.config["data"])
        splits = to_device(data.splits, CPU, torch.float64)
        return assemble(trial, data, CPU, course_of(trial.config, len(data.train))), splits

    return build


def gradients(loss, parts):
    return torch.autograd.grad(loss, list(parts.model.parameters()))


def changed(settings, **weights):
    """With other weights of terms; None takes a term away."""
    objective = copy.deepcopy(settings["objective"])
    for name, weight in weights.items():
        if weight is None:
            del objective["terms"][name]
        else:
            objective["terms"][name]["weight"] = weight
    return settings | {"objective": objective}


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_of_a_batch_are_those_of_plain_torch(open_parts, case):
    settings, by_hand = CASES[case]
    parts, splits = open_parts(settings)
    train = splits["train"]
    batch = train.gathered(torch.arange(3, 30))
    sums, weights = parts.loss(batch)
    loss = mean_of(parts.objective, sums, weights)
    means, expected = by_hand(parts, parts.model(batch["x"]), {**batch, "all": train.columns["y"].flatten().long()})
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(sums / weights, torch.stack(list(means.values())), rtol=0, atol=1e-12)
    for ours, theirs in zip(gradients(loss, parts), gradients(expected, parts), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch_size", [7, 64])
def test_the_losses_of_a_split_are_those_of_all_of_it_at_once(open_parts, case, batch_size):
    settings, by_hand = CASES[case]
    parts, splits = open_parts(settings)
    valid = splits["valid"]
    found = evaluate_splits(parts, splits, ["valid"], epoch=1, batch_size=batch_size)
    whole = {**valid.columns, "all": splits["train"].columns["y"].flatten().long()}
    means, expected = by_hand(parts, parts.model(valid.x), whole)
    assert found["valid/loss"] == pytest.approx(expected.item(), rel=0, abs=1e-12)
    for name, mean in means.items():
        assert found[f"valid/{name}_loss"] == pytest.approx(mean.item(), rel=0, abs=1e-12)


def test_an_epoch_takes_the_steps_of_plain_torch(open_parts):
    parts, splits = open_parts(OF_VECTORS)
    by_hand = copy.deepcopy(parts.model)
    course = course_of({"training": {"epochs": 1, "batch_size": 64}}, len(splits["train"]))
    train_steps(parts, splits["train"], course, begin_record(parts, 0), course.num_steps)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.05)
    # One batch, whose order changes nothing but rounding.
    vectors_by_hand(parts, by_hand(splits["train"].x), splits["train"].columns)[1].backward()
    optimizer.step()
    for ours, theirs in zip(parts.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_each_term_is_recorded_and_they_add_up(make_trial, run_trial, tmp_path, case):
    settings, _ = CASES[case]
    records, result = run_trial(make_trial(settings), tmp_path / "run")
    terms = settings["objective"]["terms"]
    for metrics in (*(record.metrics for record in records), result.best, result.last):
        for whole in [name for name in metrics if name.endswith(("/loss", "/objective"))]:
            split, _, word = whole.partition("/")
            added = sum(term["weight"] * metrics[f"{split}/{name}_{word}"] for name, term in terms.items())
            assert metrics[whole] == pytest.approx(added, rel=1e-12)
    assert {f"{name}_loss" for name in terms} < result.identities.keys()
    assert "train/objective" in records[0].metrics
    assert not [name for name in result.best if name.endswith("objective")]


def test_the_order_in_which_terms_are_listed_changes_no_bit(make_trial, run_trial, tmp_path):
    backwards = dict(reversed(CLASSES.items()))
    found = [
        run_trial(make_trial(OF_CLASSES | {"objective": {"terms": terms, "metrics": []}}), tmp_path / name)[0]
        for name, terms in (("one", CLASSES), ("other", backwards))
    ]
    assert [record.metrics for record in found[0]] == [record.metrics for record in found[1]]


def test_one_term_of_weight_1_is_the_objective_by_its_kind(make_trial, run_trial, tmp_path):
    kind = {"kind": "cross_entropy", "class_weights": "balanced", "label_smoothing": 0.1}
    alone, _ = run_trial(make_trial({"objective": {**kind, "metrics": []}}), tmp_path / "alone")
    terms = {"ce": {**kind, "weight": 1.0}}
    summed, _ = run_trial(make_trial({"objective": {"terms": terms, "metrics": []}}), tmp_path / "summed")
    for one, other in zip(alone, summed, strict=True):
        assert one.metrics.items() <= other.metrics.items()
        assert other.metrics["valid/ce_loss"] == one.metrics["valid/loss"]


def test_a_term_of_weight_0_is_measured_and_not_trained(make_trial, run_trial, tmp_path):
    with_it, _ = run_trial(make_trial(OF_CLASSES), tmp_path / "with")
    without, _ = run_trial(make_trial(changed(OF_CLASSES, measured=None)), tmp_path / "without")
    for one, other in zip(without, with_it, strict=True):
        assert one.metrics.items() <= other.metrics.items()
        assert other.metrics["valid/measured_loss"] > 0


def test_a_term_of_weight_0_that_is_no_number_ends_no_training(make_trial, run_trial, tmp_path):
    settings = copy.deepcopy(OF_CLASSES)
    settings["objective"]["terms"]["measured"] = {"kind": "own_terms:Undefined", "weight": 0.0}
    records, result = run_trial(make_trial(settings), tmp_path / "run")
    assert all(math.isfinite(record.metrics["valid/loss"]) for record in records)
    assert "valid/measured_loss" not in records[0].metrics
    assert result.not_finite["valid/measured_loss"] == 2


def test_a_loss_of_terms_says_what_it_is_a_sum_of(open_parts):
    parts, _ = open_parts(OF_VECTORS)
    identities = parts.metric_set.identities
    assert identities["loss"] == "0.9 * (mean of 1 - cosine similarity) + 0.1 * (mean of squared differences)"
    other, _ = open_parts(changed(OF_VECTORS, cosine=0.5))
    assert other.metric_set.identities["loss"] != identities["loss"]
    assert other.metric_set.identities["cosine_loss"] == identities["cosine_loss"]


def test_the_trivial_predictor_is_that_of_the_first_term(make_trial, run_trial, tmp_path):
    objective = {"terms": {"absolute": {"kind": "l1", "weight": 2.0}, "mse": VECTORS["mse"]}, "metrics": []}
    settings = PLAIN | {"data.source": {"kind": "linnerud"}, "data.splits.stratify": True, "objective": objective}
    _, result = run_trial(make_trial(settings), tmp_path / "run")
    data = prepare(make_trial(settings).config["data"])
    y, train = (torch.from_numpy(data.splits[name].targets).double() for name in ("test", "train"))
    median = torch.tensor(train.numpy()).quantile(0.5, dim=0, interpolation="midpoint")
    loss = 2 * F.l1_loss(median.expand_as(y), y) + 0.1 * F.mse_loss(median.expand_as(y), y)
    assert result.trivial["test/loss"] == pytest.approx(loss.item(), rel=1e-9)
    mean = train.mean(0).expand_as(y)
    assert result.trivial["test/mse_loss"] == pytest.approx(F.mse_loss(mean, y).item(), rel=1e-9)


def test_without_a_constant_for_every_term_no_loss_has_a_trivial_predictor(open_parts):
    parts, _ = open_parts(OF_CLASSES)
    assert not {name for name in parts.metric_set.trivial if name.endswith("loss")}
    assert parts.metric_set.trivial["accuracy"]
