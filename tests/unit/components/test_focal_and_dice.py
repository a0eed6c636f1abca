"""Losses that count what is easy less, and overlaps, in float64 against the libraries that have them."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from craftc.components.build import build
from craftc.components.torchvision_operators import expect_torchvision

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(12, 4, generator=GENERATOR, dtype=torch.float64)
CLASSES = torch.randint(4, (12,), generator=GENERATOR)
LABELS = (torch.rand(12, 4, generator=GENERATOR) < 0.4).double()
COUNTS = torch.tensor([6, 3, 2, 1])
MASK = torch.arange(12) % 3 > 0


def objective(kind: str, **args: Any) -> Any:
    return build("objectives", {"kind": kind, **args}, COUNTS).double()


def mean(loss: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return loss[0] / loss[1]


@pytest.mark.parametrize("weights", ["none", [1.0, 2.0, 0.5, 3.0]])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_the_weighed_cross_entropy_of_each_prediction(gamma: float, weights: Any) -> None:
    by_class = torch.ones(4, dtype=torch.float64) if weights == "none" else torch.tensor(weights).double()
    each = F.cross_entropy(LOGITS, CLASSES, reduction="none") * by_class[CLASSES]
    p = LOGITS.softmax(-1).gather(-1, CLASSES[:, None])[:, 0]
    loss = objective("focal", gamma=gamma, class_weights=weights)
    expected = (each * (1 - p) ** gamma).sum() / by_class[CLASSES].sum()
    torch.testing.assert_close(mean(loss(LOGITS, CLASSES)), expected)
    kept = loss(LOGITS, CLASSES, MASK)
    torch.testing.assert_close(kept, loss(LOGITS[MASK], CLASSES[MASK]))


def test_focal_without_gamma_is_the_cross_entropy_with_its_balanced_weights() -> None:
    ours, theirs = (
        objective("focal", gamma=0, class_weights="balanced"),
        objective("cross_entropy", class_weights="balanced"),
    )
    torch.testing.assert_close(ours(LOGITS, CLASSES), theirs(LOGITS, CLASSES))


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(("alpha", "written"), [(0.25, 0.25), (-1, "none")])
def test_multilabel_focal_is_that_of_torchvision(alpha: float, written: Any) -> None:
    expect_torchvision()
    from torchvision.ops import sigmoid_focal_loss

    for gamma in (0.0, 2.0, 3.5):
        expected = sigmoid_focal_loss(LOGITS, LABELS, alpha=alpha, gamma=gamma, reduction="mean")
        torch.testing.assert_close(
            mean(objective("multilabel_focal", gamma=gamma, alpha=written)(LOGITS, LABELS)), expected
        )


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_asymmetric_is_that_of_timm() -> None:
    expect_torchvision()
    from timm.loss import AsymmetricLossMultiLabel

    for negative, positive, clip in [(4.0, 1.0, 0.05), (2.0, 0.0, 0.2), (0.0, 0.0, 0.0)]:
        theirs = AsymmetricLossMultiLabel(
            gamma_neg=negative, gamma_pos=positive, clip=clip, disable_torch_grad_focal_loss=False
        )
        ours = objective("asymmetric", gamma_negative=negative, gamma_positive=positive, clip=clip)
        x, y = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
        loss, weight = ours(x, LABELS)
        expected = theirs(y, LABELS) * len(LABELS)  # it divides the sum over labels by the samples
        assert float(weight) == LABELS.numel()
        torch.testing.assert_close(loss, expected.double(), rtol=1e-5, atol=0)  # timm computes in float32
        loss.backward()
        expected.backward()
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("squared", [True, False])
def test_dice_is_its_formula_and_of_hard_predictions_that_of_torchmetrics(squared: bool) -> None:
    from torchmetrics.functional.segmentation import dice_score

    loss = objective("dice", squared=squared, smooth=1e-9)
    p, g = LOGITS.softmax(-1), F.one_hot(CLASSES, 4).double()
    below = (p**2 + g**2 if squared else p + g).sum(0)
    torch.testing.assert_close(mean(loss(LOGITS, CLASSES)), 1 - (2 * (p * g).sum(0) / below).mean())
    hard = LOGITS.argmax(-1)
    score = dice_score(hard[None], CLASSES[None], 4, average="macro", input_format="index")
    found = mean(loss(F.one_hot(hard, 4).double() * 1e3, CLASSES))
    torch.testing.assert_close(found, 1 - score.mean().double())
    torch.testing.assert_close(loss(LOGITS, CLASSES, MASK), loss(LOGITS[MASK], CLASSES[MASK]))
    p = LOGITS.sigmoid()
    below = (p**2 + LABELS**2 if squared else p + LABELS).sum(0)
    torch.testing.assert_close(mean(loss(LOGITS, LABELS)), 1 - (2 * (p * LABELS).sum(0) / below).mean())


@pytest.mark.parametrize(
    ("kind", "targets", "other"),
    [
        ("focal", CLASSES, {"gamma": 1.0}),
        ("multilabel_focal", LABELS, {"gamma": 1.0}),
        ("asymmetric", LABELS, {"clip": 0.1}),
        ("dice", CLASSES, {"squared": False}),
    ],
)
def test_gradients_are_finite_where_a_prediction_is_sure(
    kind: str, targets: torch.Tensor, other: dict[str, Any]
) -> None:
    loss = objective(kind)
    assert loss.identity != objective(kind, **other).identity
    assert not list(loss.parameters())
    assert not loss.state_dict()
    for scale in (1.0, 1e4):
        logits = (LOGITS * scale).requires_grad_()
        mean(loss(logits, targets)).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
    assert objective(kind)(LOGITS.float(), targets if kind in ("focal", "dice") else targets.float())[0].isfinite()


@pytest.mark.parametrize("kind", ["focal", "multilabel_focal", "asymmetric", "dice"])
def test_several_models_at_once_have_their_own_losses(kind: str) -> None:
    """As in a batch of trials."""
    loss, targets = objective(kind), CLASSES if kind in ("focal", "dice") else LABELS
    several = torch.stack([LOGITS, 2 * LOGITS])
    together = torch.func.vmap(lambda logits: loss(logits, targets))(several)
    for k in range(2):
        torch.testing.assert_close(together[0][k], loss(several[k], targets)[0])
