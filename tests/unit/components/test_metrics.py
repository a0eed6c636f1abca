"""Metrics against scikit-learn, fed in batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from torch import Tensor

from craftc.components.build import build

RANDOM = torch.Generator().manual_seed(0)
TARGETS = torch.arange(90) % 4 * (torch.arange(90) % 3 > 0)
LOGITS = torch.randn(90, 4, generator=RANDOM) + torch.nn.functional.one_hot(TARGETS, 4)


def compute(kind: str, logits: Tensor = LOGITS, targets: Tensor = TARGETS, num_classes: int = 4) -> float:
    metric = build("metrics", {"kind": kind}, num_classes)
    for start in range(0, len(targets), 32):
        metric.update(logits[start : start + 32], targets[start : start + 32])
    value = metric.compute()
    assert value.shape == ()
    return float(value)


def probabilities(logits: Tensor) -> np.ndarray:
    return logits.double().softmax(-1).numpy()


REFERENCES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": lambda logits, y: accuracy_score(y, logits.argmax(1)),
    "balanced_accuracy": lambda logits, y: balanced_accuracy_score(y, logits.argmax(1)),
    "f1_macro": lambda logits, y: f1_score(y, logits.argmax(1), average="macro"),
    "auroc": lambda logits, y: roc_auc_score(y, probabilities(logits), multi_class="ovr"),
    "perplexity": lambda logits, y: np.exp(log_loss(y, probabilities(logits))),
    "bits_per_character": lambda logits, y: log_loss(y, probabilities(logits)) / np.log(2),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_the_value_is_scikit_learns(kind: str) -> None:
    assert compute(kind) == pytest.approx(REFERENCES[kind](LOGITS, TARGETS), abs=1e-6)


@pytest.mark.parametrize("kind", ["accuracy", "balanced_accuracy", "f1_macro", "auroc"])
def test_what_counts_is_divided_in_float64(kind: str) -> None:
    """In float32 the last eight digits would be others."""
    coarse = LOGITS.round()  # so that scores tie
    for logits in (LOGITS, coarse):
        assert compute(kind, logits) == pytest.approx(REFERENCES[kind](logits, TARGETS), abs=1e-14)


@pytest.mark.parametrize("kind", REFERENCES)
def test_two_classes(kind: str) -> None:
    targets, logits = TARGETS.clamp(max=1), LOGITS[:, :2]
    expected = (
        roc_auc_score(targets, probabilities(logits)[:, 1]) if kind == "auroc" else REFERENCES[kind](logits, targets)
    )
    assert compute(kind, logits, targets, 2) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", REFERENCES)
def test_a_metric_starts_afresh_after_reset(kind: str) -> None:
    metric = build("metrics", {"kind": kind}, 4)
    metric.update(LOGITS.flip(1), TARGETS)
    metric.compute()
    metric.reset()
    metric.update(LOGITS, TARGETS)
    assert float(metric.compute()) == pytest.approx(compute(kind))


def test_logits_that_look_like_probabilities_are_ranked_the_same_in_every_batch() -> None:
    small = LOGITS.clone()
    small[:32] = small[:32].sigmoid()
    assert compute("auroc", small) == pytest.approx(REFERENCES["auroc"](small, TARGETS), abs=1e-6)


def test_nearly_certain_samples_are_still_ranked() -> None:
    logits = torch.tensor([[20.0, 0], [21, 0], [22, 0], [23, 0]])
    assert compute("auroc", logits, torch.tensor([1, 1, 0, 0]), 2) == 1.0


@pytest.mark.parametrize(
    ("kind", "value"), [("balanced_accuracy", 0.75), ("auroc", 1.0), ("f1_macro", (1 + 2 / 3) / 2)]
)
def test_a_class_without_samples_is_left_out_of_the_mean(kind: str, value: float) -> None:
    logits = torch.tensor([[2.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0.5, 0.6]])
    assert compute(kind, logits, torch.tensor([0, 0, 1, 1]), 3) == pytest.approx(value)


def test_auroc_of_one_class_alone_is_nan() -> None:
    assert np.isnan(compute("auroc", LOGITS[:5], torch.zeros(5, dtype=torch.long)))


def test_identities_name_averaging_and_classes() -> None:
    texts: set[Any] = {build("metrics", {"kind": kind}, n).identity for kind in REFERENCES for n in (2, 3)}
    assert len(texts) == 2 * len(REFERENCES)
    assert "macro" in build("metrics", {"kind": "balanced_accuracy"}, 3).identity


def test_likelihood_keeps_counting_where_float32_would_not() -> None:
    metric = build("metrics", {"kind": "bits_per_character"}, 4)
    metric.num_predictions += 2**25
    metric.nats += 2.0**25
    metric.update(torch.zeros(1, 4), torch.zeros(1, dtype=torch.long))
    assert float(metric.num_predictions) == 2**25 + 1
