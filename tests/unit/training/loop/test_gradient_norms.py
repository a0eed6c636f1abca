"""Norms of gradients by layer are those of autograd, whatever way a step is taken, and change no step."""

import copy

import pytest
import torch
from torch import nn

from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.loop.step import train_step
from craftc.training.loop.train_steps import begin_record, came_to
from craftc.training.parts.layers import layers_of
from craftc.training.state import gradient_norms

CPU = torch.device("cpu")
WATCHED = {"evaluation.gradient_norms": True}
EXACT = {"data.augment": [], "training.precision": "float64"}
SETTINGS = [
    {},
    {"regularization.clip_grad_norm": "none"},
    {"regularization.ema_decay": 0.9, "regularization.sam": {"rho": 0.05, "adaptive": False}},
    {"training.precision": "fp16"},
    {"training.accumulate": 2},
]


def norms_in(metrics):
    return {name: value for name, value in metrics.items() if name.startswith("train/gradient_norm")}


def parts_of(trial):
    data = prepare(trial.config["data"])
    splits = to_device(data.splits, CPU, torch.float64)
    parts = assemble(trial, data, CPU, course_of(trial.config, len(splits["train"])))
    parts.model.train()
    return parts, splits["train"].head(64).columns


def by_autograd(parts, batch):
    """The norm of the gradient of each module with parameters of its own, at the weights as they are."""
    twin = copy.deepcopy(parts.model)
    loss = nn.functional.cross_entropy(twin(batch["x"]), batch["y"])
    parameters = dict(twin.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    squares = {}
    for name, gradient in zip(parameters, gradients, strict=True):
        layer = name.rpartition(".")[0]
        squares[layer] = squares.get(layer, 0.0) + gradient.square().sum().item()
    return {layer: square**0.5 for layer, square in squares.items()}


@pytest.mark.parametrize("at_once", [1, 2, 256])
def test_the_mean_and_the_largest_of_autograd_before_clipping(make_trial, monkeypatch, at_once):
    monkeypatch.setattr(gradient_norms, "STEPS_BETWEEN_SUMS", at_once)
    plain = {"model.dropout": 0.0, "objective.class_weights": "none", "regularization.clip_grad_norm": 1e-3}
    parts, batch = parts_of(make_trial(WATCHED | EXACT | plain))
    running, expected = begin_record(parts, 0), []
    for step in range(5):
        few = {name: column[10 * step : 10 * step + 10] for name, column in batch.items()}
        expected.append(by_autograd(parts, few))
        running.add(*train_step(parts, few, step, running.norms))
    found = norms_in(came_to(parts, running, 1))
    of_layers = {name: [norms[name] for norms in expected] for name in expected[0]}
    assert len(of_layers) == 2
    means = {f"train/gradient_norm.{name}": sum(norms) / 5 for name, norms in of_layers.items()}
    largest = {f"train/gradient_norm_max.{name}": max(norms) for name, norms in of_layers.items()}
    assert found == pytest.approx(means | largest, rel=1e-12)


@pytest.mark.parametrize("settings", SETTINGS, ids=["clipped", "plain", "sam", "fp16", "accumulated"])
def test_it_changes_nothing_else(make_trial, run_trial, tmp_path, settings):
    plain, result = run_trial(make_trial(settings), tmp_path / "plain")
    watched, seen = run_trial(make_trial(settings | WATCHED), tmp_path / "watched")
    for one, other in zip(plain, watched, strict=True):
        norms = norms_in(other.metrics)
        assert len(norms) == 4
        assert one.metrics == {name: value for name, value in other.metrics.items() if name not in norms}
    left_out = {"trial", "seconds"}
    assert result.model_dump(exclude=left_out) == seen.model_dump(exclude=left_out)


def test_scaled_losses_leave_the_norms_as_they_are(make_trial, run_trial, tmp_path):
    few = {"training.epochs": 1, "model.dropout": 0.0, "training.optimizer.lr": 1e-4}
    records = [
        run_trial(make_trial(WATCHED | few | {"training.precision": precision}), tmp_path / precision)[0][0]
        for precision in ("float32", "fp16")
    ]
    exact, scaled = (norms_in(record.metrics) for record in records)
    assert scaled == pytest.approx(exact, rel=0.05)


def test_accumulated_batches_have_the_norms_of_one_batch(make_trial, run_trial, tmp_path):
    exact = WATCHED | {"training.precision": "float64", "training.epochs": 1}
    whole, _ = run_trial(make_trial(exact | {"training.batch_size": 48}), tmp_path / "whole")
    settings = exact | {"training.batch_size": 12, "training.accumulate": 4}
    parts, _ = run_trial(make_trial(settings), tmp_path / "parts")
    assert norms_in(parts[0].metrics) == pytest.approx(norms_in(whole[0].metrics), rel=1e-9)


def test_frozen_layers_are_left_out(make_trial, run_trial, tmp_path):
    whole, _ = run_trial(make_trial(WATCHED | {"training.epochs": 1}), tmp_path / "whole")
    first, second = sorted(name for name in norms_in(whole[0].metrics) if "max" not in name)
    layer = first.removeprefix("train/gradient_norm.")
    frozen = [{"parameters": f"{layer}.*", "lr_scale": 0.0, "weight_decay": "none"}]
    records, _ = run_trial(make_trial(WATCHED | {"training.groups": frozen}), tmp_path / "frozen")
    for record in records:
        assert [name for name in norms_in(record.metrics) if "max" not in name] == [second]


class Skips(nn.Module):
    """Its second layer takes part in every other step."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 1), nn.Linear(1, 1)


def test_a_layer_without_a_gradient_in_a_step_is_not_zero_there():
    model = Skips()
    norms = gradient_norms.no_norms(layers_of(model), CPU)
    for step in range(4):
        model.zero_grad(set_to_none=True)
        out = model.first(torch.ones(1, 2) * (step + 1))
        (model.second(out) if step % 2 else out).sum().backward()
        norms.see(list(model.parameters()))
    found = norms.metrics()
    weight = model.first.weight.detach()
    seconds = [(weight.sum() * (step + 1) + model.first.bias).item() for step in (1, 3)]
    expected = sum((value**2 + 1) ** 0.5 for value in seconds) / 2
    assert found["train/gradient_norm.second"] == pytest.approx(expected, rel=1e-5)


def test_a_layer_that_no_step_reaches_is_left_out():
    model = Skips()
    norms = gradient_norms.no_norms(layers_of(model), CPU)
    model.first(torch.ones(1, 2)).sum().backward()
    norms.see(list(model.parameters()))
    assert set(norms.metrics()) == {"train/gradient_norm.first", "train/gradient_norm_max.first"}


def test_a_norm_beyond_all_numbers_is_the_largest_number_and_none_of_a_skipped_step():
    model = nn.Linear(1, 1, bias=False)
    for skips, expected in ((False, {"train/gradient_norm_max.weight": torch.finfo(torch.float32).max}), (True, {})):
        norms = gradient_norms.no_norms(layers_of(model, skips_overflows=skips), CPU)
        norms.add(torch.tensor([torch.inf]))
        found = norms.metrics()
        assert {name: value for name, value in found.items() if "max" in name} == expected


def test_layers_have_the_names_that_people_read():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls = nn.Parameter(torch.zeros(1))
            self.encoder = nn.LSTM(2, 3, num_layers=2, bidirectional=True)
            self.decoder = nn.GRU(2, 3)
            self.attention = nn.MultiheadAttention(4, 2)
            self.block = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2))
            self.tied = nn.Linear(2, 2)
            self.tied.weight = self.block[0].weight

    names = ("cls", "encoder.l0", "encoder.l1", "decoder", "attention", "attention.out_proj", "block.0", "block.2")
    assert layers_of(Model()).names == (*names, "tied")
