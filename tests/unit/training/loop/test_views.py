"""Trainings by several views of a sample, against plain torch."""

from dataclasses import replace
from typing import Any

import pytest
import sklearn.metrics
import torch
from torch import nn
from torch.nn import functional as F

from craftc.components.numbers import Numbers
from craftc.training.assemble import assemble
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.random import epoch_order, key, step_key
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import lay_ground

CPU = torch.device("cpu")
STD = 0.2
VIEWS: dict[str, Any] = {
    "data.source": {"kind": "digits"},
    "data.views": 2,
    "data.normalize": {"kind": "per_line"},
    "data.augment": [{"kind": "gaussian_noise", "std": STD, "p": 1.0}],
    "model": {"kind": "linear", "num_features": "infer", "num_classes": 16},
    "objective": {"kind": "info_nce", "temperature": 0.5, "metrics": [{"kind": "nearest_neighbour"}]},
    "regularization.clip_grad_norm": "none",
    "training.optimizer": {"kind": "sgd", "lr": 0.5, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "training.schedule": [{"kind": "constant", "epochs": "none"}],
}


def centred(x: torch.Tensor) -> torch.Tensor:
    return x.double() - x.double().mean(-1, keepdim=True)


def nt_xent(model: nn.Module, both: torch.Tensor, temperature: float = 0.5) -> torch.Tensor:
    z = F.normalize(model(both.flatten(1)), dim=1)
    cosines = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(cosines, torch.arange(len(z)).roll(len(z) // 2))


@pytest.mark.parametrize("when", ["before_normalize", "after_normalize"])
def test_a_training_is_that_of_plain_torch(make_trial, run_trial, tmp_path, when):
    normalize = {"kind": "per_line" if when == "before_normalize" else "none"}
    augment = [VIEWS["data.augment"][0] | {"when": when}]
    trial = make_trial(VIEWS | {"data.augment": augment, "data.normalize": normalize})
    data = prepare(trial.config["data"])
    before = prepare(trial.config["data"] | {"normalize": {"kind": "none"}}).splits
    of = {name: torch.from_numpy(split.inputs) for name, split in before.items()}
    scale = centred(of["train"]).std(correction=0)

    def last(x: torch.Tensor) -> torch.Tensor:
        return (centred(x) / scale).float() if when == "before_normalize" else x

    head = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model.head
    optimizer = torch.optim.SGD(head.parameters(), lr=0.5)

    def views(x: torch.Tensor, seed: int, step: int) -> torch.Tensor:
        """Both views of samples, one under the other."""
        both = torch.cat([x, x])
        return last(both + Numbers(step_key(seed, "augmentation", step), CPU).normal(*both.shape) * STD)

    step = 0
    for epoch in range(1, 4):
        for index in torch.split(epoch_order(trial.seed, epoch, len(of["train"])), 64):
            loss = nt_xent(head, views(of["train"][index], trial.seed, step))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    records, result = run_trial(trial, tmp_path / "trial")
    with torch.no_grad():
        seed, sums = key(trial.seed, "evaluation"), []
        for step, index in enumerate(torch.split(epoch_order(seed, 0, len(of["test"])), 64)):
            sums.append(nt_xent(head, views(of["test"][index], seed, step)) * len(index))
        plain = F.normalize(head(last(of["test"]).flatten(1)), dim=1)
    assert result.last["test/loss"] == pytest.approx(float(sum(sums)) / len(of["test"]), rel=1e-5)
    distances = sklearn.metrics.pairwise_distances(plain.double().numpy(), metric="cosine")
    distances[range(len(plain)), range(len(plain))] = 9
    targets = data.splits["test"].targets
    found = float((targets[distances.argmin(1)] == targets).mean())
    assert result.last["test/nearest_neighbour"] == pytest.approx(found, abs=1e-3)
    assert result.last["test/loss"] < records[0].metrics["valid/loss"]


def test_a_view_depends_on_seed_step_and_its_number_alone(make_trial):
    trial = make_trial(VIEWS)
    ground = lay_ground(trial, "cpu")
    parts = assemble(trial, ground.data, CPU, course_of(trial.config, len(ground.data.train)))
    x = ground.train.x[:8]
    views = parts.augmentations(x, seed=3, step=5)
    assert views.shape == (8, 2, 8, 8)
    assert torch.equal(views, parts.augmentations(x, seed=3, step=5))
    assert not torch.equal(views[:, 0], views[:, 1])
    for seed, step in ((4, 5), (3, 6)):
        assert not torch.isclose(views, parts.augmentations(x, seed=seed, step=step)).flatten(1).all(1).any()
    noiseless = replace(parts.augmentations, before=())(x, seed=3, step=5)
    assert torch.equal(noiseless, parts.augmentations.unchanged({"x": x}, "x")["x"])
    assert torch.equal(noiseless[:, 1], parts.augmentations.normalized(x))


def test_columns_that_a_model_asks_for_are_those_of_its_view(make_trial, tmp_path, monkeypatch):
    (tmp_path / "view_code.py").write_text(
        "import numpy as np, torch\n"
        "from torch import nn\n"
        "def source():\n"
        "    x = np.random.default_rng(0).normal(size=(40, 3))\n"
        "    return {'x': x, 'shift': np.arange(40.0), 'y': np.arange(40) % 2}\n"
        "class Model(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.head = nn.Linear(3, 4)\n"
        "    def forward(self, x, shift):\n"
        "        return {'logits': self.head(x), 'shift': shift}\n"
        "class Spread(nn.Module):\n"
        "    takes_outputs = ('views',)\n"
        "    def forward(self, output, targets, shift):\n"
        "        assert output.shape[:2] == (len(targets), 2) and targets.dim() == 1\n"
        "        assert torch.equal(shift[:, 0], shift[:, 1])\n"
        "        return (output[:, 0] - output[:, 1]).square().mean() + 0.0 * shift.mean()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    trial = make_trial(
        VIEWS
        | {
            "data.source": {"kind": "view_code:source"},
            "data.normalize": {"kind": "none"},
            "model": {"kind": "view_code:Model"},
            "objective": {"kind": "view_code:Spread", "metrics": []},
        }
    )
    ground = lay_ground(trial, "cpu")
    parts = assemble(trial, ground.data, CPU, course_of(trial.config, len(ground.data.train)))
    loss_sum, weight_sum, _ = train_step(parts, ground.train.gathered(torch.arange(8)), 0)
    assert float(loss_sum / weight_sum) > 0
