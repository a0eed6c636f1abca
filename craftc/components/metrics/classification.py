"""Metrics of a classifier.

Each metric is a torchmetrics metric: `update(logits (B, C), targets (B,))`, `compute()`. A class without a sample among
the targets is left out of a macro mean; where nothing is left, the result is NaN.
"""

import torch
from torch import Tensor

from craftc.components.lean_torchmetrics import Metric, MulticlassConfusionMatrix, dim_zero_cat


class _OfConfusion(MulticlassConfusionMatrix):
    """What is computed of the counts of each class taken for each."""

    takes_targets = ("class", "token")
    mode = "max"
    bounds = (0.0, 1.0)
    trivial = "class_frequencies"

    def __init__(self, num_classes: int, /) -> None:
        super().__init__(num_classes, validate_args=False)

    def update(self, logits_BC: Tensor, targets_B: Tensor, mask: Tensor | None = None) -> None:
        """Take in logits (B, C) and class numbers (B,), but for what a mask (B,) leaves out."""
        if mask is not None:
            logits_BC, targets_B = logits_BC[mask], targets_B[mask]
        super().update(logits_BC, targets_B)


class Accuracy(_OfConfusion):
    """Share of samples whose largest logit is the right class (micro average)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"share of samples classified correctly, {self.num_classes} classes, micro average"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = super().compute().double()
        return confusion_CC.diagonal().sum() / confusion_CC.sum()


class BalancedAccuracy(_OfConfusion):
    """Mean over classes of the share of their samples that is found (macro recall)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"recall, {self.num_classes} classes, macro average over classes present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = super().compute().double()
        support_C = confusion_CC.sum(1)
        return (confusion_CC.diagonal() / support_C)[support_C > 0].mean()


class F1Macro(_OfConfusion):
    """Mean over classes of the harmonic mean of precision and recall (macro F1)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"F1 score, {self.num_classes} classes, macro average over classes present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = super().compute().double()
        support_C = confusion_CC.sum(1)
        scores_C = 2 * confusion_CC.diagonal() / (support_C + confusion_CC.sum(0))
        return scores_C[support_C > 0].mean()


class IoU(_OfConfusion):
    """Mean over classes of intersection over union, also called the Jaccard index."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"intersection over union, {self.num_classes} classes, macro average over classes present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        confusion_CC = super().compute().double()
        support_C, hits_C = confusion_CC.sum(1), confusion_CC.diagonal()
        return (hits_C / (support_C + confusion_CC.sum(0) - hits_C))[support_C > 0].mean()


class AUROC(Metric):
    """Mean over classes of the area under the ROC curve of that class against the rest (macro one-vs-rest, exact)."""

    takes = ("images", "table")
    takes_targets = ("class", "token")
    mode = "max"
    bounds = (0.0, 1.0)
    trivial = "class_frequencies"
    higher_is_better = True
    full_state_update = False
    scores: list[Tensor]
    targets: list[Tensor]

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"area under the ROC curve, {self.num_classes} classes one-vs-rest, exact, macro average"

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        """Take in logits (B, C) and class numbers (B,)."""
        # In float64, because float32 rounds samples that a model is nearly certain of to one and the same score.
        self.scores.append(logits_BC.double().softmax(-1))
        self.targets.append(targets_B)

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        scores_BC, targets_B = dim_zero_cat(self.scores), dim_zero_cat(self.targets)
        present = [label for label in range(self.num_classes) if 0 < int((targets_B == label).sum()) < len(targets_B)]
        if not present:
            return torch.tensor(torch.nan, device=scores_BC.device)
        return torch.stack([area_under_roc(scores_BC[:, label], targets_B == label) for label in present]).mean()


def area_under_roc(scores_B: Tensor, is_positive_B: Tensor) -> Tensor:
    """The area under the ROC curve, in float64: the share of pairs that stand in the right order, ties counting half
    (Mann and Whitney 1947)."""
    _, place_B, counts_U = torch.unique(scores_B, return_inverse=True, return_counts=True)
    last_U = counts_U.cumsum(0).double()
    ranks_B = (last_U - (counts_U.double() - 1) / 2)[place_B]
    num_positive = is_positive_B.sum().double()
    num_pairs = num_positive * (len(scores_B) - num_positive)
    area: Tensor = (ranks_B[is_positive_B].sum() - num_positive * (num_positive + 1) / 2) / num_pairs
    return area
