"""Metrics by their name in torchmetrics: against torchmetrics used plainly, for targets of every kind."""

import contextlib
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from craftc.cli.main import app

# Before torchmetrics, which imports what craftc's own import leaves for later.
from craftc.components.metrics.torchmetrics_by_name import ByName, is_by_name

import torchmetrics  # isort: skip

# Of classes and quantities that do not vary in few samples, and of metrics that keep all of them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torchmetrics")

NUM = 40


def made(kind: str, width: int = 4) -> tuple[Tensor, Tensor]:
    """Outputs of a model and targets, as a metric is given them."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(NUM, width, generator=generator) * 0.4
    if kind in ("class", "token"):
        return outputs, torch.randint(0, width, (NUM,), generator=generator)
    if kind == "classes":
        return outputs, (torch.rand(NUM, width, generator=generator) < 0.4).float()
    if kind == "mask":
        return outputs, torch.rand(NUM, width, generator=generator) < 0.4
    return outputs, outputs + 0.3 * torch.randn(NUM, width, generator=generator)


MULTICLASS = {"task": "multiclass", "num_classes": 4}
MULTILABEL = {"task": "multilabel", "num_labels": 4}
BINARY = {"task": "binary"}
OF_CLASSES = [
    *(("class", name, {}, MULTICLASS) for name in (
        "Accuracy", "AUROC", "CohenKappa", "F1Score", "HammingDistance", "JaccardIndex", "MatthewsCorrCoef",
        "Specificity", "CalibrationError", "HingeLoss",
    )),
    ("class", "CohenKappa", {"weights": "quadratic"}, MULTICLASS),
    ("class", "Accuracy", {"average": "macro", "top_k": 2}, MULTICLASS),
    ("token", "FBetaScore", {"beta": 0.5, "average": "macro"}, MULTICLASS),
    *(("classes", name, {"average": "macro"}, MULTILABEL) for name in (
        "Accuracy", "AveragePrecision", "F1Score", "Precision", "Recall",
    )),
    ("classes", "ExactMatch", {}, MULTILABEL),
    *(("mask", name, {}, BINARY) for name in ("AUROC", "JaccardIndex", "MatthewsCorrCoef", "NegativePredictiveValue")),
]  # fmt: skip
OF_QUANTITIES = [
    *((kind, name, arguments)
      for kind in ("real", "vectors")
      for name, arguments in (
          ("MeanAbsoluteError", {}), ("MeanSquaredError", {}), ("MeanSquaredError", {"squared": False}),
          ("R2Score", {}), ("R2Score", {"multioutput": "variance_weighted"}), ("ExplainedVariance", {}),
          ("CosineSimilarity", {"reduction": "mean"}), ("LogCoshError", {}), ("PearsonCorrCoef", {}),
          ("SpearmanCorrCoef", {}), ("ConcordanceCorrCoef", {}), ("KendallRankCorrCoef", {}),
          ("SymmetricMeanAbsolutePercentageError", {}), ("MinkowskiDistance", {"p": 3}),
      )),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "arguments", "plain"), OF_CLASSES)
def test_a_classifiers_metric_is_given_probabilities_of_its_task(kind, name, arguments, plain):
    outputs, targets = made(kind)
    plainly = getattr(torchmetrics, name)(**plain, **arguments)
    probabilities = outputs.softmax(-1) if kind in ("class", "token") else outputs.sigmoid()
    if kind == "mask":
        probabilities, targets_of_it = probabilities.flatten(), targets.flatten().int()
    else:
        targets_of_it = targets.int()
    plainly.update(probabilities, targets_of_it)
    # As the data says it, also where a task has no use for it.
    inferred = {"num_classes": 4} if "num_classes" in plain or kind == "classes" else {}
    metric = ByName({"kind": f"torchmetrics:{name}", "task": "infer", **inferred, **arguments}, kind, (4,))
    for rows in (slice(0, 25), slice(25, NUM)):
        metric.update(outputs[rows], targets[rows])
    assert float(metric.compute()) == pytest.approx(float(plainly.compute()), rel=1e-6)
    assert metric.identity.startswith(f"torchmetrics {name}, {plain['task']}")
    metric.reset()
    metric.update(outputs[:5], targets[:5])
    again = getattr(torchmetrics, name)(**plain, **arguments)
    size = 5 if kind != "mask" else 20
    again.update(probabilities[:size], targets_of_it[:size])
    assert float(metric.compute()) == pytest.approx(float(again.compute()), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize(("kind", "name", "arguments"), OF_QUANTITIES)
def test_a_metric_of_quantities_is_the_mean_over_them(kind, name, arguments, width):
    outputs, targets = made("real", width)
    if name == "CosineSimilarity" and width == 1:
        pytest.skip("a similarity needs several quantities")
    metric = ByName({"kind": f"torchmetrics:{name}", **arguments}, kind, (width,) if kind == "real" else (8, width))
    shaped = (outputs, targets) if kind == "real" else (outputs.view(5, 8, width), targets.view(5, 8, width))
    metric.update(*shaped)
    given = (outputs, targets) if width > 1 else (outputs[:, 0], targets[:, 0])
    plainly = getattr(torchmetrics, name)(**arguments)
    try:
        expected = plainly(*given)
    except ValueError:
        expected = getattr(torchmetrics, name)(**arguments, num_outputs=width)(*given).mean()
    assert float(metric.compute()) == pytest.approx(float(expected), rel=1e-5)


def test_a_mask_leaves_rows_out():
    outputs, targets = made("class")
    mask = torch.arange(NUM) % 3 > 0
    metric = ByName({"kind": "torchmetrics:Accuracy", "num_classes": 4}, "class", ())
    metric.update(outputs, targets, mask)
    assert float(metric.compute()) == pytest.approx(float((outputs.argmax(-1) == targets)[mask].float().mean()))


def test_of_two_classes_the_second_is_what_a_binary_task_asks_for():
    outputs, targets = made("class", 2)
    metric = ByName({"kind": "torchmetrics:AUROC", "task": "binary"}, "class", ())
    metric.update(outputs, targets)
    expected = torchmetrics.AUROC(task="binary")(outputs.softmax(-1)[:, 1], targets)
    assert float(metric.compute()) == float(expected)


def test_a_task_that_is_written_leaves_the_outputs_as_they_are():
    outputs, targets = made("class")
    arguments = {"task": "multiclass", "num_classes": 4, "thresholds": 7}
    metric = ByName({"kind": "torchmetrics:AUROC", **arguments}, "class", ())
    metric.update(outputs, targets)
    assert float(metric.compute()) == float(torchmetrics.AUROC(**arguments)(outputs, targets))


def test_images_and_texts_have_the_shapes_that_they_are_measured_in():
    outputs, targets = made("real", 64)
    image = ByName({"kind": "torchmetrics:PeakSignalNoiseRatio", "data_range": 1.0}, "real", (8, 8))
    image.update(outputs.view(NUM, 8, 8), targets.view(NUM, 8, 8))
    plainly = torchmetrics.image.PeakSignalNoiseRatio(data_range=1.0)
    assert float(image.compute()) == pytest.approx(float(plainly(outputs, targets)))
    structure = ByName({"kind": "torchmetrics:StructuralSimilarityIndexMeasure", "kernel_size": 3}, "real", (8, 8))
    structure.update(outputs.view(NUM, 8, 8), targets.view(NUM, 8, 8))
    plainly = torchmetrics.image.StructuralSimilarityIndexMeasure(kernel_size=3)
    expected = plainly(outputs.view(NUM, 1, 8, 8), targets.view(NUM, 1, 8, 8))
    assert float(structure.compute()) == pytest.approx(float(expected))
    logits, tokens = made("token")
    text = ByName({"kind": "torchmetrics:Perplexity"}, "token", (8,))
    text.update(logits, tokens)
    mean = torch.nn.functional.cross_entropy(logits, tokens)
    assert float(text.compute()) == pytest.approx(float(mean.exp()), rel=1e-5)


def test_what_torchmetrics_says_of_its_bounds_is_kept():
    assert ByName({"kind": "torchmetrics:Accuracy", "num_classes": 4}, "class", ()).bounds == (0.0, 1.0)
    assert ByName({"kind": "torchmetrics:MeanSquaredError"}, "real", ()).bounds == (0.0, None)
    assert is_by_name("torchmetrics:Accuracy")
    assert not is_by_name("torchmetrics.classification:MulticlassAccuracy")
    assert not is_by_name("accuracy")


SPEC = """\
craftc: 1
name: named
data: {source: SOURCE}
model: linear
objective: {kind: OBJECTIVE, metrics: [METRICS]}
training: {epochs: 2, batch_size: 64, optimizer: {kind: adamw, lr: 0.01}}
ablation: {seeds: 2}
"""


def craftc(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


def spec(source: str, objective: str, *metrics: str) -> str:
    return SPEC.replace("SOURCE", source).replace("OBJECTIVE", objective).replace("METRICS", ", ".join(metrics))


def test_a_metric_is_concluded_from_and_recorded_by_its_name(tmp_path: Path) -> None:
    kappa, error = '{kind: "torchmetrics:CohenKappa", weights: quadratic}', '"torchmetrics:CalibrationError"'
    (tmp_path / "named.yaml").write_text(spec("digits", "cross_entropy", kappa, error, "accuracy"))
    ran = craftc(tmp_path, "run", "named.yaml", "--backend", "inline")
    assert ran.exit_code == 0, ran.stderr
    assert (
        "test/CohenKappa (torchmetrics CohenKappa, multiclass, weights quadratic, num_classes 10), higher" in ran.stdout
    )
    report = json.loads(craftc(tmp_path, "report", "named", "--format", "json").stdout)
    assert (report["metric"]["name"], report["mode"]) == ("CohenKappa", "max")
    assert 0.5 < report["variants"][0]["value"]["mean"] < 1


def test_a_metric_of_another_kind_of_target_is_refused_by_lint(tmp_path: Path) -> None:
    (tmp_path / "named.yaml").write_text(spec("diabetes", "mse", '"torchmetrics:CohenKappa"'))
    told = craftc(tmp_path, "lint", "named.yaml")
    assert told.exit_code == 1
    assert "error[target-not-classes]: torchmetrics:CohenKappa measures classes, several labels" in told.output
    (tmp_path / "named.yaml").write_text(
        spec("digits", "cross_entropy", '{kind: "torchmetrics:CohenKappa", weights: quadratc}')
    )
    told = craftc(tmp_path, "lint", "named.yaml")
    assert told.exit_code == 1
    assert 'did you mean "quadratic"?' in told.output
