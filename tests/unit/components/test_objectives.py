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


VECTORS = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
MASK = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("is_weighed", [False, True])
def test_cosine_is_torchs_over_the_vectors_that_count(is_masked: bool, is_weighed: bool) -> None:
    outputs_BTD, targets_BTD = VECTORS
    given = ({"mask": MASK} if is_masked else {}) | ({"weight": WEIGHT} if is_weighed else {})
    loss_sum, weight_sum = build("objectives", {"kind": "cosine"}, COUNTS)(outputs_BTD, targets_BTD, **given)
    losses_BT = 1 - torch.nn.CosineSimilarity(dim=-1)(outputs_BTD, targets_BTD)
    shares_BT = (MASK if is_masked else torch.ones_like(MASK)) * (WEIGHT[:, None] if is_weighed else 1.0)
    expected = (losses_BT * shares_BT).sum() / shares_BT.sum()
    torch.testing.assert_close(loss_sum / weight_sum, expected, rtol=0, atol=1e-12)


def test_mse_of_sequences_of_vectors_counts_the_numbers_of_what_no_mask_leaves_out() -> None:
    outputs_BTD, targets_BTD = VECTORS
    loss_sum, weight_sum = build("objectives", {"kind": "mse"}, COUNTS)(outputs_BTD, targets_BTD, mask=MASK)
    expected = functional.mse_loss(outputs_BTD[MASK], targets_BTD[MASK])
    torch.testing.assert_close(loss_sum / weight_sum, expected, rtol=0, atol=1e-12)
    assert weight_sum == 7 * 5


def test_cosine_refuses_what_holds_no_vectors() -> None:
    loss = build("objectives", {"kind": "cosine"}, COUNTS)
    with pytest.raises(ValueError, match=r"a target \(4,\) is one number of each sample"):
        loss(torch.ones(4), torch.ones(4))
    with pytest.raises(ValueError, match=r"outputs \(4, 1\) with targets \(4, 2\)"):
        loss(torch.ones(4, 1), torch.ones(4, 2))
    with pytest.raises(ValueError, match=r"the mask \(3, 3\) is of their numbers"):
        # Broadcast, it would have a shape that fits.
        loss(torch.ones(3, 3), torch.ones(3, 3), mask=torch.ones(3, 3))
