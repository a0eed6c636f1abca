"""Tasks of every kind of target, against plain torch and scikit-learn."""

import copy
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import nn
from torch.nn import functional as F

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.components.errors import DataError
from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.random import epoch_order

CPU = torch.device("cpu")
SOURCES = """
import numpy as np
from sklearn.datasets import load_digits
from craftc.components.sources.columns import Column, Columns

def labels():
    images, digits = load_digits(return_X_y=True)
    return images, np.stack([digits % 2 == 0, digits > 4, np.isin(digits, (0, 6, 8, 9))], axis=1)

def dense():
    images = load_digits().images
    return {"x": images, "y": (images > 4).astype(np.int64) + (images > 10)}

def weighed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    weight = rng.uniform(0.5, 2.0, size=60)
    return {"numbers": x, "y": x @ [1.0, -2.0, 0.5], "weight": weight, "group": np.arange(60) % 5, "id": np.arange(60)}

def masked():
    rng = np.random.default_rng(0)
    tokens, lengths = rng.integers(0, 7, size=(80, 6)), rng.integers(1, 7, size=80)
    mask = np.arange(6) < lengths[:, None]
    return {"tokens": tokens, "mask": mask, "y": (tokens * mask).sum(1) % 3}

def copied():
    tokens = np.random.default_rng(0).integers(0, 5, size=(80, 6))
    return {"tokens": tokens, "y": tokens[:, ::-1].copy()}
"""
MODELS = """
from dataclasses import dataclass
import torch
from torch import nn

class Masked(nn.Module):
    def __init__(self, *, vocabulary_size: int, num_classes: int):
        super().__init__()
        self.embed, self.head = nn.Embedding(vocabulary_size, 8), nn.Linear(8, num_classes)

    def forward(self, tokens, mask):
        weight = mask.unsqueeze(-1).float()
        return self.head((self.embed(tokens) * weight).sum(1) / weight.sum(1)), None

@dataclass
class Said:
    hidden: torch.Tensor
    logits: torch.Tensor

class Sequence(nn.Module):
    def __init__(self, *, vocabulary_size: int, num_classes: int):
        super().__init__()
        self.embed, self.head = nn.Embedding(vocabulary_size, 8), nn.Linear(48, 6 * num_classes)

    def forward(self, tokens):
        hidden = self.embed(tokens)
        return Said(hidden, self.head(hidden.flatten(1)).unflatten(1, (6, -1)))

class Regularized(nn.CrossEntropyLoss):
    def forward(self, output, targets, hidden):
        return super().forward(output, targets) + 0.01 * hidden.square().mean()

class Pixels(nn.Conv2d):
    def __init__(self, *, num_classes: int):
        super().__init__(1, num_classes, 3, padding=1)
"""
PLAIN = {
    "data.augment": [],
    "data.normalize": {"kind": "per_feature"},
    "objective": {"kind": "mse", "metrics": [{"kind": "r2"}, {"kind": "mae"}, {"kind": "rmse"}]},
    "model": {"kind": "linear", "num_features": "infer", "num_classes": "infer"},
    "regularization.clip_grad_norm": "none",
    "training.optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "training.schedule": [{"kind": "constant", "epochs": "none"}],
    "training.epochs": 3,
    "training.batch_size": 16,
}


@pytest.fixture(autouse=True)
def own_code(tmp_path, monkeypatch):
    (tmp_path / "task_sources.py").write_text(SOURCES)
    (tmp_path / "task_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)


def plain(kind, own=None):
    """The settings of a plain training on a source, with some of its own."""
    return copy.deepcopy(PLAIN | {"data.source": {"kind": kind}} | (own or {}))


def by_hand(trial, loss):
    """A linear model trained in plain torch from the same weights in the same order: its outputs, by split."""
    data = prepare(trial.config["data"])
    splits = {n: (torch.from_numpy(s.inputs), torch.from_numpy(s.targets).float()) for n, s in data.splits.items()}
    x, y = splits["train"]
    model = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(1, 4):
        for index in torch.split(epoch_order(trial.seed, epoch, len(x)), 16):
            optimizer.zero_grad()
            loss(model(x[index]), y[index].reshape(len(index), -1)).backward()
            optimizer.step()
    return {name: (model(x).detach().numpy(), y.reshape(len(x), -1).numpy()) for name, (x, y) in splits.items()}


@pytest.mark.parametrize("kind", ["diabetes", "linnerud"])
@pytest.mark.parametrize(("objective", "loss"), [("mse", F.mse_loss), ("l1", F.l1_loss), ("huber", F.huber_loss)])
def test_regression_is_that_of_plain_torch_and_scikit_learn(make_trial, run_trial, tmp_path, kind, objective, loss):
    trial = make_trial(plain(kind, {"objective.kind": objective}))
    _, result = run_trial(trial, tmp_path / "trial")
    for split, (outputs, targets) in by_hand(trial, loss).items():
        expected = {
            "loss": loss(torch.from_numpy(outputs), torch.from_numpy(targets)).item(),
            "r2": sklearn.metrics.r2_score(targets, outputs),
            "mae": sklearn.metrics.mean_absolute_error(targets, outputs),
            "rmse": sklearn.metrics.mean_squared_error(targets, outputs) ** 0.5,
        }
        for name, value in expected.items():
            assert result.last[f"{split}/{name}"] == pytest.approx(value, rel=1e-4, abs=1e-5), (split, name)
    assert result.classes == ()


def test_the_best_constants_of_quantities_are_their_mean_and_median(make_trial, run_trial, tmp_path):
    trial = make_trial(plain("diabetes"))
    _, result = run_trial(trial, tmp_path / "trial")
    splits = prepare(trial.config["data"]).splits
    train, test = splits["train"].targets, splits["test"].targets
    assert result.trivial["test/mae"] == pytest.approx(np.abs(test - np.median(train)).mean(), rel=1e-6)
    assert result.trivial["test/rmse"] == pytest.approx(np.square(test - train.mean()).mean() ** 0.5, rel=1e-6)
    assert result.trivial["test/loss"] == pytest.approx(np.square(test - train.mean()).mean(), rel=1e-5)
    assert result.trivial["train/r2"] == pytest.approx(0.0, abs=1e-6)


LABELS = {
    "data.normalize": {"kind": "per_dataset"},
    "objective": {
        "kind": "bce",
        "metrics": [
            {"kind": "multilabel_f1"},
            {"kind": "multilabel_average_precision"},
            {"kind": "multilabel_auroc"},
        ],
    },
}


def test_several_labels_are_those_of_plain_torch_and_scikit_learn(make_trial, run_trial, tmp_path):
    trial = make_trial(plain("task_sources:labels", LABELS))
    _, result = run_trial(trial, tmp_path / "trial")
    for split, (logits, labels) in by_hand(trial, F.binary_cross_entropy_with_logits).items():
        loss = F.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        assert result.last[f"{split}/loss"] == pytest.approx(loss, rel=1e-4)
        f1 = sklearn.metrics.f1_score(labels, logits > 0, average="macro")
        precision = sklearn.metrics.average_precision_score(labels, logits, average="macro")
        assert result.last[f"{split}/multilabel_f1"] == pytest.approx(f1, abs=1e-3)
        assert result.last[f"{split}/multilabel_average_precision"] == pytest.approx(precision, abs=1e-3)
        area = sklearn.metrics.roc_auc_score(labels, logits, average="macro")
        assert result.last[f"{split}/multilabel_auroc"] == pytest.approx(area, abs=1e-3)
    labels = prepare(trial.config["data"]).splits["train"].targets
    shares = torch.from_numpy(labels.mean(0, dtype=np.float64)).expand(len(labels), -1)
    constant = F.binary_cross_entropy(shares, torch.from_numpy(labels).double()).item()
    assert result.trivial["train/loss"] == pytest.approx(constant, rel=1e-5)


def test_an_input_is_its_own_target(make_trial, run_trial, tmp_path):
    own = {"data.target": "x", "data.normalize": {"kind": "per_dataset"}, "objective.metrics": [{"kind": "rmse"}]}
    trial = make_trial(plain("digits", own))
    _, result = run_trial(trial, tmp_path / "trial")
    data = prepare(trial.config["data"])
    assert data.facts["num_classes"] == 64
    for split, (outputs, targets) in by_hand(trial, F.mse_loss).items():
        expected = sklearn.metrics.mean_squared_error(targets, outputs)
        assert result.last[f"{split}/loss"] == pytest.approx(expected, rel=1e-4)
        assert result.last[f"{split}/rmse"] == pytest.approx(expected**0.5, rel=1e-4)


def test_noise_is_added_to_an_input_and_not_to_it_as_the_target(make_trial):
    augment = [{"kind": "gaussian_noise", "std": 0.5, "p": 1.0, "when": "after_normalize"}]
    own = {"data.target": "x", "data.normalize": {"kind": "none"}, "data.augment": augment}
    trial = make_trial(plain("digits", own))
    data = prepare(trial.config["data"])
    train = to_device(data.splits, CPU)["train"]
    parts = assemble(trial, data, CPU, course_of(trial.config, len(data.train)))
    batch = train.head(8).columns
    given = []
    parts.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    loss = parts.loss({**batch, "x": parts.augmentations(batch["x"], seed=0, step=0)})[0]
    assert not torch.equal(given[0], batch["x"])
    with torch.no_grad():
        expected = F.mse_loss(parts.model(given[0]).view(8, 8, 8), batch["x"], reduction="sum")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_dense_targets(make_trial, run_trial, tmp_path):
    own = {
        "data.layout": "channels",
        "data.normalize": {"kind": "per_dataset"},
        "model": {"kind": "task_models:Pixels", "num_classes": "infer"},
        "objective": {"kind": "cross_entropy", "metrics": [{"kind": "iou"}, {"kind": "accuracy"}]},
    }
    trial = make_trial(plain("task_sources:dense", own))
    _, result = run_trial(trial, tmp_path / "trial")
    data = prepare(trial.config["data"])
    model = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model
    model.load_state_dict(torch.load(tmp_path / "trial" / "checkpoints" / "last.pt")["model"])
    x, y = (torch.from_numpy(values) for values in (data.splits["test"].inputs, data.splits["test"].targets))
    with torch.no_grad():
        logits = model(x)
    assert result.last["test/loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)
    expected = sklearn.metrics.jaccard_score(y.flatten(), logits.argmax(1).flatten(), average="macro")
    assert result.last["test/iou"] == pytest.approx(expected, rel=1e-6)
    shares = data.class_counts / data.class_counts.sum()
    targets = data.splits["train"].targets.ravel()
    assert result.trivial["train/loss"] == pytest.approx(-np.log(shares[targets]).mean(), rel=1e-5)


def test_a_model_is_given_columns_by_name_and_the_first_of_several_outputs_is_meant(make_trial, run_trial, tmp_path):
    model = {"kind": "task_models:Masked", "vocabulary_size": "infer", "num_classes": "infer"}
    classes = {"objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]}}
    own = {"data.normalize": {"kind": "none"}, "model": model} | classes
    trial = make_trial(plain("task_sources:masked", own))
    _, result = run_trial(trial, tmp_path / "trial")
    data = prepare(trial.config["data"])
    assert data.facts["vocabulary_size"] == 7
    model = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model
    model.load_state_dict(torch.load(tmp_path / "trial" / "checkpoints" / "last.pt")["model"])
    test = data.splits["test"]
    tokens, mask = (torch.from_numpy(test.columns[name].values) for name in ("tokens", "mask"))
    with torch.no_grad():
        logits, _ = model(tokens, mask)
    expected = F.cross_entropy(logits, torch.from_numpy(test.targets)).item()
    assert result.last["test/loss"] == pytest.approx(expected, rel=1e-5)


def test_an_objective_is_given_outputs_by_name_and_logits_are_meant(make_trial, run_trial, tmp_path):
    own = {
        "data.normalize": {"kind": "none"},
        "model": {"kind": "task_models:Sequence", "vocabulary_size": "infer", "num_classes": "infer"},
        "objective": {"kind": "task_models:Regularized", "metrics": [{"kind": "accuracy"}]},
    }
    trial = make_trial(plain("task_sources:copied", own))
    _, result = run_trial(trial, tmp_path / "trial")
    data = prepare(trial.config["data"])
    model = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model
    model.load_state_dict(torch.load(tmp_path / "trial" / "checkpoints" / "last.pt")["model"])
    test = data.splits["test"]
    with torch.no_grad():
        said = model(torch.from_numpy(test.inputs))
    loss = F.cross_entropy(said.logits.flatten(0, 1), torch.from_numpy(test.targets).flatten())
    expected = loss + 0.01 * said.hidden.square().mean()
    assert result.last["test/loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_weight_counts_for_its_sample_and_groups_are_given_to_nothing(make_trial, run_trial, tmp_path):
    trial = make_trial(plain("task_sources:weighed", {"objective.metrics": []}))
    _, result = run_trial(trial, tmp_path / "trial")
    data = prepare(trial.config["data"])
    assert set(to_device(data.splits, CPU)["train"].columns) == {"numbers", "y", "weight"}
    model = nn.Linear(3, 1)
    state = torch.load(tmp_path / "trial" / "checkpoints" / "last.pt")["model"]
    model.load_state_dict({name.removeprefix("head."): value for name, value in state.items()})
    test = data.splits["test"]
    with torch.no_grad():
        outputs = model(torch.from_numpy(test.inputs)).numpy()[:, 0]
    weight = test.columns["weight"].values
    expected = np.average(np.square(outputs - test.targets), weights=weight)
    assert result.last["test/loss"] == pytest.approx(expected, rel=1e-4)


def test_a_target_that_there_is_not_is_told(make_trial):
    with pytest.raises(DataError, match=r"data.target is age, and the source has no such column \(it has x, y\)"):
        prepare(make_trial({"data.target": "age"}).config["data"])


@pytest.mark.parametrize(("spec", "metric"), [("diabetes", "test/rmse"), ("denoising", "test/rmse")])
def test_the_maintained_specs_beat_the_best_constant(run_trial, tmp_path, spec, metric):
    file = Path(__file__).parents[4] / "specs" / f"{spec}.yaml"
    plan = compile_spec(file.read_text(), str(file), built_in_catalogue()).plan
    _, result = run_trial(plan.trials[0], tmp_path / "trial")
    assert result.best[metric] < 0.9 * result.trivial[metric]


@pytest.mark.parametrize(
    ("spec", "epochs", "metric", "factor"),
    [("multilabel", 10, "test/multilabel_average_precision", 3.0), ("segmentation", 4, "test/iou", 3.0)],
)
def test_those_of_labels_and_pixels_beat_the_frequencies(run_trial, tmp_path, spec, epochs, metric, factor):
    file = Path(__file__).parents[4] / "specs" / f"{spec}.yaml"
    trial = compile_spec(file.read_text(), str(file), built_in_catalogue()).plan.trials[0]
    shorter = trial.model_copy(update={"config": copy.deepcopy(trial.config)})
    shorter.config["training"]["epochs"] = epochs
    _, result = run_trial(shorter, tmp_path / "trial")
    assert result.best[metric] > factor * result.trivial[metric]


def test_the_spec_of_views_puts_digits_together_without_their_labels(run_trial, tmp_path):
    file = Path(__file__).parents[4] / "specs" / "contrastive.yaml"
    trials = compile_spec(file.read_text(), str(file), built_in_catalogue()).plan.trials
    found = {}
    for variant in ("full", "-training"):
        trial = next(trial for trial in trials if trial.variant == variant)
        _, result = run_trial(trial, tmp_path / variant)
        found[variant] = result.best["test/nearest_neighbour"]
        assert not result.trivial
    assert found["full"] > found["-training"] + 0.02
