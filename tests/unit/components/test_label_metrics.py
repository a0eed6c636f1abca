"""The area under the ROC curve of several labels, against torchmetrics."""

import pytest
import torch
from torchmetrics.classification import MultilabelAUROC

from craftc.components.build import build


def test_it_is_that_of_torchmetrics_ties_included_whatever_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(200, 5, generator=generator) < torch.tensor([0.1, 0.3, 0.5, 0.9, 0.02])
    logits = (torch.randn(200, 5, generator=generator) + labels).round(decimals=1)
    ours, theirs = build("metrics", {"kind": "multilabel_auroc"}, 5), MultilabelAUROC(5)
    for part in torch.arange(200).split(64):
        ours.update(logits[part], labels[part].float())
    assert ours.compute().item() == pytest.approx(theirs(logits, labels.int()).item(), abs=1e-6)


def test_a_label_that_does_not_vary_is_left_out() -> None:
    metric = build("metrics", {"kind": "multilabel_auroc"}, 3)
    metric.update(torch.tensor([[1.0, 0.0, 2.0], [2.0, 1.0, 1.0]]), torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]))
    assert metric.compute() == 1.0
    metric.reset()
    metric.update(torch.zeros(2, 3), torch.zeros(2, 3))
    assert metric.compute().isnan()
