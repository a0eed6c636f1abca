"""Logits and targets, batch by batch -> a number that says how well a classifier does.

Each metric has the methods of torchmetrics': `update(logits (B, C), targets (B,))`, `compute()`, `reset()`. A class
without a sample among the targets is left out of a macro mean; where nothing is left, the result is NaN.
"""

import torch
from torch import Tensor

from craftc.components.metrics.confusion import ConfusionMatrix


class Accuracy(ConfusionMatrix):
    """Share of samples whose largest logit is the right class (micro average)."""

    mode = "max"

    def __init__(self, num_classes: int, /) -> None:
        super().__init__(num_classes)

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"share of samples classified correctly, {self.num_classes} classes, micro average"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = self.counts_CC.double()
        return confusion_CC.diagonal().sum() / confusion_CC.sum()


class BalancedAccuracy(ConfusionMatrix):
    """Mean over classes of the share of their samples that is found (macro recall)."""

    mode = "max"

    def __init__(self, num_classes: int, /) -> None:
        super().__init__(num_classes)

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"recall, {self.num_classes} classes, macro average over classes present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = self.counts_CC.double()
        support_C = confusion_CC.sum(1)
        return (confusion_CC.diagonal() / support_C)[support_C > 0].mean()


class F1Macro(ConfusionMatrix):
    """Mean over classes of the harmonic mean of precision and recall (macro F1)."""

    mode = "max"

    def __init__(self, num_classes: int, /) -> None:
        super().__init__(num_classes)

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"F1 score, {self.num_classes} classes, macro average over classes present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = self.counts_CC.double()
        support_C = confusion_CC.sum(1)
        scores_C = 2 * confusion_CC.diagonal() / (support_C + confusion_CC.sum(0))
        return scores_C[support_C > 0].mean()


class AUROC:
    """Mean over classes of the area under the ROC curve of that class against the rest (macro one-vs-rest, exact)."""

    mode = "max"

    def __init__(self, num_classes: int, /) -> None:
        self.num_classes = num_classes
        self.scores: list[Tensor] = []
        self.targets: list[Tensor] = []

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"area under the ROC curve, {self.num_classes} classes one-vs-rest, exact, macro average"

    def reset(self) -> None:
        """Forget every sample."""
        self.scores, self.targets = [], []

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        """Take in logits (B, C) and class numbers (B,)."""
        # In float64, because float32 rounds samples that a model is nearly certain of to one and the same score.
        self.scores.append(logits_BC.double().softmax(-1))
        self.targets.append(targets_B)

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        scores_BC, targets_B = torch.cat(self.scores), torch.cat(self.targets)
        areas = [
            area_under_roc(scores_BC[:, label], targets_B == label)
            for label in range(self.num_classes)
            if 0 < int((targets_B == label).sum()) < len(targets_B)
        ]
        return torch.stack(areas).double().mean() if areas else torch.tensor(torch.nan, device=scores_BC.device)


def area_under_roc(scores_B: Tensor, is_positive_B: Tensor) -> Tensor:
    """By trapezoids between the distinct scores; there must be samples of both kinds."""
    falling = scores_B.argsort(descending=True)
    scores_B, is_positive_B = scores_B[falling], is_positive_B[falling]
    # The last sample of each score: which of equal ones comes first must not matter.
    last_D = torch.cat([torch.where(scores_B[1:] != scores_B[:-1])[0], falling.new_tensor([len(falling) - 1])])
    true_D = is_positive_B.long().cumsum(0)[last_D]
    false_D = 1 + last_D - true_D
    start = true_D.new_zeros(1)
    rates = [torch.cat([start, num_D]).float() / num_D[-1].float() for num_D in (true_D, false_D)]
    return torch.trapezoid(*rates)
