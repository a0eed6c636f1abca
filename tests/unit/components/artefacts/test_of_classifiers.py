"""The confusion matrix and the reliability diagram, beside the same numbers computed by others."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch import Tensor, nn

from craftc.components.artefacts.confusion_matrix import ConfusionMatrix
from craftc.components.artefacts.reliability_diagram import ReliabilityDiagram
from craftc.components.artefacts.trained import ArtefactError
from craftc.components.metrics.calibration import ExpectedCalibrationError
from craftc.components.sources.columns import Column

Classes = tuple[Tensor, Column]


def test_the_counts_are_those_of_scikit_learn(make_trained: Any, ten_classes: Classes) -> None:
    logits, target = ten_classes
    made = ConfusionMatrix().make(make_trained(nn.Identity(), logits, target))
    predicted = logits.argmax(-1).numpy()
    assert made.values["counts"] == confusion_matrix(target.values, predicted, labels=range(4)).tolist()
    precision, recall, _, support = precision_recall_fscore_support(
        target.values, predicted, labels=range(4), zero_division=np.nan
    )
    for number, each in enumerate(made.values["per_class"]):
        assert each["samples"] == support[number]
        for name, share in (("precision", precision[number]), ("recall", recall[number])):
            assert (each[name] is None and np.isnan(share)) or each[name] == pytest.approx(share)


def test_the_table_has_a_line_for_each_class(make_trained: Any, ten_classes: Classes) -> None:
    logits, target = ten_classes
    made = ConfusionMatrix().make(make_trained(nn.Identity(), logits, target))
    assert made.text is not None
    lines = made.text.splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("b\\n ")
    assert lines[4].split()[3:6] == ["0", "-", "0.000"]


def test_too_many_classes_are_refused(make_trained: Any) -> None:
    logits = torch.zeros(3, 201)
    target = Column(np.zeros(3, dtype=np.int64), "class", "target", sizes=(201,))
    with pytest.raises(ArtefactError, match=r"201 classes, and it shows 200 at most"):
        ConfusionMatrix().make(make_trained(nn.Identity(), logits, target))


def test_the_error_is_that_of_the_metric(make_trained: Any, ten_classes: Classes) -> None:
    logits, target = ten_classes
    made = ReliabilityDiagram().make(make_trained(nn.Identity(), logits, target))
    metric = ExpectedCalibrationError(4)
    metric.update(logits, torch.from_numpy(target.values))
    assert made.values["ece"] == pytest.approx(float(metric.compute()), abs=1e-12)
    assert sum(each["samples"] for each in made.values["bins"]) == 200
    right = (logits.argmax(-1).numpy() == target.values).sum()
    found = sum(each["samples"] * each["accuracy"] for each in made.values["bins"] if each["samples"])
    assert found == pytest.approx(right)


def test_a_bin_has_its_upper_bound(make_trained: Any) -> None:
    logits = torch.log(torch.tensor([[0.5, 0.5], [0.75, 0.25]], dtype=torch.float64))
    target = Column(np.array([0, 1]), "class", "target", ("a", "b"))
    made = ReliabilityDiagram(num_bins=4).make(make_trained(nn.Identity(), logits, target))
    assert [each["samples"] for each in made.values["bins"]] == [0, 1, 1, 0]


@pytest.mark.parametrize("component", [ConfusionMatrix(), ReliabilityDiagram()])
def test_pictures_are_the_same_bytes_each_time(make_trained: Any, ten_classes: Classes, component: Any) -> None:
    logits, target = ten_classes
    first, second = (component.make(make_trained(nn.Identity(), logits, target)).picture for _ in range(2))
    assert first == second
    assert min(Image.open(io.BytesIO(first)).size) > 200
