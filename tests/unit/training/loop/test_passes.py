"""Passes and stages after training: other numbers of the same weights, and of those alone."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import nn
from torch.nn import functional as F

from craftc.training.data.prepare import prepare
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.attempt import attempt
from craftc.training.loop.read_off import Finished, read_off
from craftc.training.parts.after_stages import state_path
from craftc.training.state.checkpoint import load_best

SPLITS = {
    "train": 0.4,
    "valid": 0.2,
    "calib": {"share": 0.2, "for": "calibrate"},
    "test": 0.2,
    "stratify": True,
    "seed": 0,
}
PLAIN = {
    "data.splits": SPLITS,
    "data.augment": [],
    "objective.class_weights": "none",
    "objective.metrics": [{"kind": "accuracy"}, {"kind": "ece"}],
    "training.epochs": 4,
}
TILES = {"views": {"kind": "tiles", "n": 2, "top_k": 2, "whole": True}, "every_epoch": False}
FLIPS = {"views": {"kind": "flips", "axes": "horizontal", "top_k": "none"}, "every_epoch": False}
TEMPERATURE = {"kind": "temperature", "fit": "calib"}
ALL = PLAIN | {
    "evaluation.passes": {"tiles": TILES, "mirrored": FLIPS},
    "evaluation.after": [TEMPERATURE, {"kind": "vector_scaling", "fit": "calib"}],
}


class Scaled(nn.Module):
    """A linear model that can be given the number by which it multiplies its logits."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes)

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.linear(x.flatten(1)) * scale


class NoState:
    """A stage that keeps something else than what it applies."""

    def fit(self, outputs: torch.Tensor, targets: torch.Tensor) -> None: ...

    def apply(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, :2]

    def state_dict(self) -> dict[str, object]:
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None: ...


def best_model(trial, folder, result):
    """The best weights as plain torch computes with them."""
    state = load_best(folder, trial, torch.device("cpu"), epoch=result.best_epoch)
    weights = list(state.values())

    def logits(x: torch.Tensor) -> torch.Tensor:
        return F.linear(F.relu(F.linear(x.flatten(1), weights[0], weights[1])), weights[2], weights[3])

    return logits


def best_logits(trial, folder, result, split):
    """What the best weights make of a split, and the targets."""
    part = prepare(trial.config["data"]).splits[split]
    return best_model(trial, folder, result)(torch.from_numpy(part.inputs)), torch.from_numpy(part.targets)


def test_what_is_measured_beside_leaves_everything_else_as_it_is(make_trial, run_trial, tmp_path) -> None:
    records, result = run_trial(make_trial(ALL), tmp_path / "all")
    plain_records, plain = run_trial(make_trial(PLAIN), tmp_path / "plain")
    assert [r.metrics for r in records] == [r.metrics for r in plain_records]
    assert result.last == plain.last
    assert {name: result.best[name] for name in plain.best} == plain.best
    others = [name for name in result.best if name not in plain.best]
    prefixes = ("tiles", "mirrored", "temperature", "vector_scaling")
    names = {f"{s}/{p}.{m}" for s in ("valid", "test") for p in prefixes for m in ("loss", "accuracy", "ece")}
    assert set(others) == names
    assert {name.partition("/")[2] for name in others} <= result.identities.keys()


def test_the_temperature_is_that_of_scipy(make_trial, run_trial, tmp_path) -> None:
    trial = make_trial(PLAIN | {"evaluation.after": [TEMPERATURE]})
    _, result = run_trial(trial, tmp_path)
    logits, targets = (t.numpy() for t in best_logits(trial, tmp_path, result, "calib"))
    logits = logits.astype(np.float64)

    def nll(log_t: float) -> float:
        scaled = logits / math.exp(log_t)
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(targets)), targets]))

    found = minimize_scalar(nll, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    kept = json.loads(state_path(tmp_path, "temperature").read_text())
    assert kept["state"]["temperature"] == pytest.approx(math.exp(found.x), abs=1e-5)
    assert (kept["epoch"], kept["stage"]) == (result.best_epoch, TEMPERATURE)
    # And it is what was measured.
    tested, y = best_logits(trial, tmp_path, result, "test")
    expected = F.cross_entropy(tested / kept["state"]["temperature"], y.long())
    assert result.best["test/temperature.loss"] == pytest.approx(float(expected), abs=1e-6)
    assert result.best["test/temperature.accuracy"] == result.best["test/accuracy"]


def test_vector_scaling_works_on_what_the_temperature_made(make_trial, run_trial, tmp_path) -> None:
    trial = make_trial(ALL)
    _, result = run_trial(trial, tmp_path)
    temperature, scaling = (
        json.loads(state_path(tmp_path, name).read_text())["state"] for name in ("temperature", "vector_scaling")
    )
    logits, targets = best_logits(trial, tmp_path, result, "calib")
    scale, bias = (
        torch.tensor(scaling[name]["values"], dtype=torch.float64, requires_grad=True) for name in ("scale", "bias")
    )
    scaled = logits.double().detach() / temperature["temperature"]
    loss = F.cross_entropy(scaled * scale + bias, targets.long())
    loss.backward()
    assert float(scale.grad.abs().max()) < 1e-5
    assert float(bias.grad.abs().max()) < 1e-5


@pytest.mark.parametrize("top_k", ["none", 1, 3])
def test_tiles_are_those_of_a_plain_loop(make_trial, run_trial, tmp_path, top_k) -> None:
    views = {"kind": "tiles", "n": 2, "top_k": top_k, "whole": True}
    trial = make_trial(PLAIN | {"evaluation.passes": {"tiles": {"views": views, "every_epoch": False}}})
    _, result = run_trial(trial, tmp_path)
    model, x = (
        best_model(trial, tmp_path, result),
        torch.from_numpy(prepare(trial.config["data"]).splits["test"].inputs),
    )
    targets = prepare(trial.config["data"]).splits["test"].targets
    hits, nats = 0, 0.0
    for sample, target in zip(x.unbind(), targets.tolist(), strict=True):
        images = [sample]
        for top in (0, 4):
            for left in (0, 4):
                tile = sample[None, None, top : top + 4, left : left + 4]
                images.append(F.interpolate(tile, (8, 8), mode="bilinear", align_corners=False)[0, 0])
        of_views = [model(image[None])[0].double().softmax(-1) for image in images]
        surest = sorted(of_views, key=lambda p: -float(p.max()))
        probabilities = torch.stack(surest[: len(surest) if top_k == "none" else top_k]).mean(0)
        hits += int(probabilities.argmax() == target)
        nats -= float(probabilities[target].log())
    assert result.best["test/tiles.accuracy"] == pytest.approx(hits / len(x))
    assert result.best["test/tiles.loss"] == pytest.approx(nats / len(x), rel=1e-5)


def test_a_number_is_handed_to_the_model(make_trial, run_trial, tmp_path) -> None:
    model = {"kind": f"{__name__}:Scaled", "num_features": "infer", "num_classes": "infer"}
    passes = {"sharp": {"views": {"kind": "none"}, "every_epoch": False, "scale": 3.0}}
    trial = make_trial(PLAIN | {"model": model, "evaluation.passes": passes})
    _, result = run_trial(trial, tmp_path)
    data = prepare(trial.config["data"])
    state = load_best(tmp_path, trial, torch.device("cpu"), epoch=result.best_epoch)
    x, y = torch.from_numpy(data.splits["test"].inputs).flatten(1), torch.from_numpy(data.splits["test"].targets).long()
    logits = F.linear(x, state["linear.weight"], state["linear.bias"])
    assert result.best["test/loss"] == pytest.approx(float(F.cross_entropy(logits, y)), abs=1e-5)
    assert result.best["test/sharp.loss"] == pytest.approx(float(F.cross_entropy(3 * logits, y)), abs=1e-5)


def test_a_number_that_the_model_does_not_take_is_refused_before_training(make_trial) -> None:
    passes = {"free": {"views": {"kind": "none"}, "every_epoch": False, "teacher_forcing": 0.0}}
    with pytest.raises(TrainingError, match="pass free gives the model teacher_forcing") as caught:
        attempt(make_trial(PLAIN | {"evaluation.passes": passes}), device="cpu")
    assert caught.value.code == "unknown-value"


def test_a_stage_that_gives_other_shapes_is_refused_before_training(make_trial) -> None:
    trial = make_trial(PLAIN | {"evaluation.after": [{"kind": f"{__name__}:NoState", "fit": "calib"}]})
    with pytest.raises(TrainingError, match="after-stage NoState made a Tensor of shape") as caught:
        attempt(trial, device="cpu")
    assert caught.value.code == "after-stage-failed"


def test_a_pass_by_which_epochs_are_chosen_is_measured_after_each(make_trial, run_trial, tmp_path) -> None:
    settings = PLAIN | {
        "evaluation.passes": {"tiles": TILES | {"every_epoch": True}},
        "evaluation.select": {"metric": "valid/tiles.loss", "mode": "min"},
    }
    records, result = run_trial(make_trial(settings), tmp_path)
    losses = [record.metrics["valid/tiles.loss"] for record in records]
    assert result.best_epoch == 1 + losses.index(min(losses))
    assert result.best["valid/tiles.loss"] == min(losses)
    assert not any(name.startswith(("test/", "train/tiles")) for record in records for name in record.metrics)
    assert "test/tiles.accuracy" in result.best


def test_a_trial_is_read_off_a_finished_one(make_trial, run_trial, tmp_path, monkeypatch) -> None:
    """With a metric that was added, too; no step is taken."""
    f1 = [*PLAIN["objective.metrics"], {"kind": "f1_macro"}]
    settings = {"evaluation.select": {"metric": "valid/loss", "mode": "max"}}
    plain = make_trial(PLAIN | settings)
    trial = make_trial(ALL | settings | {"objective.metrics": f1})
    _, alone = run_trial(trial, tmp_path / "alone")
    records, result = run_trial(plain, tmp_path / "plain")
    assert result.best_epoch < result.epochs_trained

    def step(*_: object, **__: object) -> None:
        raise AssertionError("a step was taken")

    monkeypatch.setattr("craftc.training.loop.training.train_steps", step)
    source = Finished(tmp_path / "plain", result, records)
    found = read_off(trial, tmp_path / "read", source, device="cpu")
    assert (found.best, found.last, found.trivial) == (alone.best, alone.last, alone.trivial)
    assert (found.identities, found.shares) == (alone.identities, alone.shares)
    assert (found.trial, found.execution.read_off) == (trial.id, plain.id)
    for name in ("temperature", "vector_scaling"):
        assert state_path(tmp_path / "read", name).read_text() == state_path(tmp_path / "alone", name).read_text()
    weights = load_best(tmp_path / "read", trial, torch.device("cpu"), epoch=found.best_epoch)
    own = load_best(tmp_path / "alone", trial, torch.device("cpu"), epoch=alone.best_epoch)
    assert all(torch.equal(weights[name], own[name]) for name in own)


def test_damaged_weights_are_not_read_off(make_trial, run_trial, tmp_path) -> None:
    records, result = run_trial(make_trial(PLAIN), tmp_path / "plain")
    with (tmp_path / "plain" / "checkpoints" / "best.pt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(TrainingError) as caught:
        read_off(make_trial(ALL), tmp_path / "read", Finished(tmp_path / "plain", result, records), device="cpu")
    assert caught.value.code == "checkpoint-corrupt"
