"""Metrics of several labels of which any number may hold.

Each metric is a torchmetrics metric: `update(logits (B, C), labels (B, C))`, `compute()`. A label that no sample has is
left out of the mean.
"""

import torch
from torch import Tensor

from craftc.components.lean_torchmetrics import Metric, dim_zero_cat
from craftc.components.metrics.classification import area_under_roc


class _Labels(Metric):
    """All logits and labels so far."""

    takes_targets = ("classes",)
    mode = "max"
    bounds = (0.0, 1.0)
    trivial = "label_frequencies"
    higher_is_better = True
    full_state_update = False
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self, num_labels: int, /) -> None:
        super().__init__()
        self.num_labels = num_labels
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, logits_BC: Tensor, labels_BC: Tensor) -> None:
        """Take in logits and labels, 0 or 1, (B, C)."""
        self.scores.append(logits_BC.double())
        self.labels.append(labels_BC > 0)

    def _all(self) -> tuple[Tensor, Tensor]:
        return dim_zero_cat(self.scores), dim_zero_cat(self.labels)


class MultilabelF1(_Labels):
    """Mean over labels of the harmonic mean of precision and recall, where a logit above 0 says that a label holds."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"F1 score, {self.num_labels} labels, each of logits above 0, macro average over labels present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        scores_NC, labels_NC = self._all()
        said_NC = scores_NC > 0
        hits_C = (said_NC & labels_NC).sum(0).double()
        either_C = (said_NC.sum(0) + labels_NC.sum(0)).double()
        return (2 * hits_C / either_C)[labels_NC.any(0)].mean()


class MultilabelAveragePrecision(_Labels):
    """Mean over labels of the average precision of their ranking (mAP, exact)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"average precision, {self.num_labels} labels, exact, macro average over labels present"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        scores_NC, labels_NC = self._all()
        present = [label for label in range(self.num_labels) if bool(labels_NC[:, label].any())]
        if not present:
            return torch.tensor(torch.nan, device=scores_NC.device)
        return torch.stack([_average_precision(scores_NC[:, label], labels_NC[:, label]) for label in present]).mean()


class MultilabelAUROC(_Labels):
    """Mean over labels of the area under the ROC curve of each (macro, exact)."""

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"area under the ROC curve, {self.num_labels} labels, exact, macro average over labels that vary"

    def compute(self) -> Tensor:
        """A scalar from 0 to 1. A label that all samples or none have is left out: it has no curve."""
        scores_NC, labels_NC = self._all()
        varying = [c for c in range(self.num_labels) if labels_NC[:, c].any() and not labels_NC[:, c].all()]
        if not varying:
            return torch.tensor(torch.nan, device=scores_NC.device)
        return torch.stack([area_under_roc(scores_NC[:, label], labels_NC[:, label]) for label in varying]).mean()


def _average_precision(scores_N: Tensor, labels_N: Tensor) -> Tensor:
    """The sum over thresholds of precision times the gain in recall; samples of one score have one threshold."""
    _, place_N, counts_U = torch.unique(-scores_N, return_inverse=True, return_counts=True)
    hits_U = torch.zeros(len(counts_U), dtype=torch.float64, device=scores_N.device)
    hits_U.index_add_(0, place_N, labels_N.double())
    precision_U = hits_U.cumsum(0) / counts_U.cumsum(0)
    area: Tensor = (precision_U * hits_U).sum() / hits_U.sum()
    return area
