"""What lint knows of a metric that is named as torchmetrics calls it."""

from pathlib import Path

import pytest

from craftc.compiler.own_code.own_components import with_own
from craftc.schemas.catalogue import Catalogue


def entry(kind: str):
    tree = {"objective": {"metrics": [kind]}}
    return with_own(Catalogue(()), tree, Path("spec.yaml")).find("metrics", kind)


@pytest.mark.parametrize(
    ("name", "mode"), [("CohenKappa", "max"), ("CalibrationError", "min"), ("F1Score", "max"), ("HingeLoss", "min")]
)
def test_of_a_classifiers_metric_the_task_is_inferred_and_the_direction_is_that_of_its_tasks(name, mode):
    found = entry(f"torchmetrics:{name}")
    assert found.mode == mode
    task = found.parameter("task")
    assert (task.required, task.default) == (False, "infer")
    assert {"enum": ["multiclass", "binary", "multilabel"]} in task.type["anyOf"]
    assert set(found.takes_targets) == {"class", "classes", "token", "mask"}


def test_a_metric_of_quantities_takes_no_classes():
    found = entry("torchmetrics:MeanSquaredError")
    assert (found.mode, found.takes_targets) == ("min", ("real", "vectors"))
    # Either way is better, torchmetrics says: what decides by it says which.
    assert entry("torchmetrics:PearsonCorrCoef").mode is None


def test_a_class_of_one_task_is_as_it_was():
    found = entry("torchmetrics.classification:MulticlassCohenKappa")
    assert (found.mode, found.takes_targets, found.parameter("task")) == ("max", (), None)
