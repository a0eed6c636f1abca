"""Cross entropy as a sum and its weight, against torch's own mean."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from craftc.components.build import build
from craftc.components.errors import DataError

COUNTS = torch.tensor([6, 3, 1])
LOGITS = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])


def objective(**args: Any) -> Any:
    return build("objectives", {"kind": "cross_entropy", **args}, COUNTS)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(
    ("class_weights", "weights"),
    [("none", [1.0, 1.0, 1.0]), ("balanced", [10 / 18, 10 / 9, 10 / 3]), ([1, 2.0, 0.5], [1.0, 2.0, 0.5])],
)
def test_batches_add_up_to_torchs_weighted_mean(smoothing: float, class_weights: Any, weights: list[float]) -> None:
    loss = objective(class_weights=class_weights, label_smoothing=smoothing)
    parts = [loss(LOGITS[start : start + 4], TARGETS[start : start + 4]) for start in (0, 4, 8)]
    mean = sum(part[0] for part in parts) / sum(part[1] for part in parts)
    expected = functional.cross_entropy(LOGITS, TARGETS, torch.tensor(weights), label_smoothing=smoothing)
    torch.testing.assert_close(mean, expected)


def test_balanced_weights_give_each_class_the_same_say() -> None:
    loss = objective(class_weights="balanced")
    says = [loss(torch.zeros(len(part), 3), part)[1].item() for part in (TARGETS[:6], TARGETS[6:9], TARGETS[9:])]
    assert says == pytest.approx([10 / 3] * 3)


def test_it_has_gradients_but_no_parameters_and_no_state() -> None:
    loss = objective(class_weights="balanced", label_smoothing=0.1)
    logits = LOGITS.clone().requires_grad_()
    loss(logits, TARGETS)[0].backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_the_identity_tells_different_losses_apart() -> None:
    args: list[dict[str, Any]] = [
        {},
        {"class_weights": "balanced"},
        {"class_weights": [1, 1, 2]},
        {"label_smoothing": 0.1},
    ]
    assert len({objective(**a).identity for a in args}) == len(args)
    assert objective(class_weights=[1, 1, 2]).identity == objective(class_weights=[1.0, 1.0, 2.0]).identity


def test_weights_that_do_not_fit_the_data() -> None:
    with pytest.raises(DataError, match="2 entries, but the data has 3 classes"):
        objective(class_weights=[1.0, 2.0])
    with pytest.raises(DataError, match="class 1 has no sample") as raised:
        build("objectives", {"kind": "cross_entropy", "class_weights": "balanced"}, torch.tensor([3, 0, 2]))
    assert raised.value.code == "class-missing-from-train"
