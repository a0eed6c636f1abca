"""Sharpness-aware minimisation against the same by hand in plain torch, and beside everything else of a step."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.assemble import Parts, assemble
from craftc.training.data.device_split import Batch, to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import train_trial

CPU = torch.device("cpu")
EXACT = {"training.precision": "float64", "data.augment": [], "model.dropout": 0.0}
SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}
NUM_STEPS = 4

OWN = """
import torch
from torch import nn

class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10))
"""


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_sam.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


def parts_of(trial: Trial) -> tuple[Parts, list[Batch]]:
    data = prepare(trial.config["data"])
    train = to_device(data.splits, CPU, torch.float64)["train"]
    parts = assemble(trial, data, CPU, course_of(trial.config, len(train)))
    parts.model.train()
    return parts, [train.gathered(torch.arange(64 * i, 64 * (i + 1))) for i in range(NUM_STEPS)]


def by_hand(parts: Parts, batches: list[Batch], rho: float, *, adaptive: bool, clip: float) -> nn.Module:
    """The model after SAM in plain torch."""
    model = copy.deepcopy(parts.model)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.05)

    def backward(batch: Batch) -> None:
        optimizer.zero_grad()
        weight: Any = parts.objective.weights_C
        nn.functional.cross_entropy(model(batch["x"]), batch["y"], weight=weight).backward()

    for step, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = parts.schedule.lr(0.1, step)
        backward(batch)
        buffers = [buffer.clone() for buffer in model.buffers()]
        before = [parameter.detach().clone() for parameter in parameters]
        sizes = [weight.abs() + 0.01 if adaptive else torch.ones_like(weight) for weight in before]
        scaled = [size * parameter.grad for size, parameter in zip(sizes, parameters, strict=True)]
        norm = torch.cat([each.flatten() for each in scaled]).norm()
        with torch.no_grad():
            for parameter, size, each in zip(parameters, sizes, scaled, strict=True):
                parameter += rho * size * each / norm
        backward(batch)
        with torch.no_grad():
            for parameter, weight in zip(parameters, before, strict=True):
                parameter.copy_(weight)
            for buffer, value in zip(model.buffers(), buffers, strict=True):
                buffer.copy_(value)
        nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
    return model


@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, True)])
@pytest.mark.parametrize("normed", [False, True])
def test_steps_are_those_by_hand(make_trial: Callable[..., Trial], rho: float, adaptive: bool, normed: bool) -> None:
    own: dict[str, Any] = {"model": {"kind": "own_sam:Normed"}} if normed else {}
    settings = EXACT | {"training.optimizer": SGD, "regularization.sam": {"rho": rho, "adaptive": adaptive}} | own
    if normed:
        del settings["model.dropout"]
    parts, batches = parts_of(make_trial(settings))
    expected = by_hand(parts, batches, rho, adaptive=adaptive, clip=1.0)
    plain, _ = parts_of(make_trial({name: value for name, value in settings.items() if "sam" not in name}))
    for step, batch in enumerate(batches):
        train_step(parts, copy.deepcopy(batch), step)
        train_step(plain, copy.deepcopy(batch), step)
    for name, ours in parts.model.state_dict().items():
        torch.testing.assert_close(ours, expected.state_dict()[name], rtol=1e-12, atol=1e-14, msg=name)
    assert not torch.allclose(next(parts.model.parameters()), next(plain.model.parameters()), rtol=1e-6)


def test_both_passes_draw_the_same_numbers(make_trial: Callable[..., Trial]) -> None:
    settings = EXACT | {"training.optimizer": SGD, "model.dropout": 0.5, "regularization.sam": {"rho": 0.05}}
    parts, [batch, *_] = parts_of(make_trial(settings))
    patterns: list[torch.Tensor] = []
    last = [module for module in parts.model.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda module, given: patterns.append(given[0] == 0))
    for step in range(2):
        train_step(parts, copy.deepcopy(batch), step)
    first, second, third, _ = patterns
    assert 0.4 < float(first.double().mean()) < 0.9
    # A unit that is near 0 may change its side.
    assert float((first != second).double().mean()) < 0.02 < 0.2 < float((first != third).double().mean())


def test_a_step_in_parts_is_the_step(make_trial: Callable[..., Trial]) -> None:
    settings = EXACT | {"training.optimizer": SGD, "model.dropout": 0.2, "regularization.sam": {"rho": 0.1}}
    whole, [batch, *_] = parts_of(make_trial(settings | {"training.batch_size": 64}))
    divided, _ = parts_of(make_trial(settings | {"training.batch_size": 16, "training.accumulate": 4}))
    for parts in (whole, divided):
        for step in range(2):
            train_step(parts, copy.deepcopy(batch), step)
    for one, other in zip(whole.model.parameters(), divided.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_an_interrupted_training_goes_on(
    make_trial: Callable[..., Trial],
    run_trial: Callable[..., tuple[list[EpochRecord], Result]],
    tmp_path: Path,
    precision: str,
) -> None:
    trial = make_trial({"regularization.sam": {"rho": 0.05}, "training.precision": precision})
    straight, _ = run_trial(trial, tmp_path / "straight")
    cut = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    first = next(cut)
    cut.close()
    rest, _ = run_trial(trial, tmp_path / "cut")
    assert [record.metrics for record in [first, *rest]] == [record.metrics for record in straight]
    assert straight[-1].metrics["train/objective"] < 0.75 * straight[0].metrics["train/objective"]
