"""Adaptive gradient clipping, beside timm's."""

from typing import Any

import pytest
import torch
from torch import nn

from craftc.components.torchvision_operators import expect_torchvision
from craftc.training.parts.adaptive_clip import clip_units

MODELS: dict[str, Any] = {
    "linear": lambda: nn.Linear(7, 5),
    "convolutions": lambda: nn.Sequential(nn.Conv1d(3, 4, 3), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)),
    "recurrent": lambda: nn.LSTM(4, 6),
    "embedding": lambda: nn.Embedding(9, 4),
    "scalar": lambda: nn.PReLU(),
}


def with_gradients(model: nn.Module, scale: float) -> nn.Module:
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=random) * scale
    return model


@pytest.mark.parametrize("scale", [1e-4, 0.03, 10.0])
@pytest.mark.parametrize("name", MODELS)
def test_it_does_as_timm_does(name: str, scale: float) -> None:
    expect_torchvision()
    from timm.utils.agc import adaptive_clip_grad

    torch.manual_seed(0)
    ours = with_gradients(MODELS[name](), scale)
    torch.manual_seed(0)
    theirs = with_gradients(MODELS[name](), scale)
    parameters = list(ours.parameters())
    clip_units(parameters, [parameter.grad for parameter in parameters], 0.01)
    adaptive_clip_grad(theirs.parameters(), 0.01)
    for one, other in zip(parameters, theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_a_row_is_a_unit_and_each_training_has_its_factor() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).repeat(3, 1, 1)
    gradient = torch.tensor([[6.0, 8.0], [0.3, 0.4]]).repeat(3, 1, 1)
    clip_units([weight], [gradient], torch.tensor([0.1, 10.0, torch.inf]))
    # Of the first row at most 0.1 times 5, of the second, whose weights are zero, 0.1 times 0.001.
    torch.testing.assert_close(gradient[0], torch.tensor([[0.3, 0.4], [6e-5, 8e-5]]))
    torch.testing.assert_close(gradient[1], torch.tensor([[6.0, 8.0], [6e-3, 8e-3]]))
    torch.testing.assert_close(gradient[2], torch.tensor([[6.0, 8.0], [0.3, 0.4]]))


def test_it_keeps_a_step_small(make_trial: Any, run_trial: Any, tmp_path: Any) -> None:
    """With a rate at which training falls apart."""
    wild = {"training.optimizer": {"kind": "sgd", "lr": 30.0}, "training.epochs": 3}
    _, free = run_trial(make_trial(wild), tmp_path / "free")
    _, clipped = run_trial(make_trial(wild | {"regularization.adaptive_clip": 0.001}), tmp_path / "clipped")
    assert clipped.best["train/loss"] < free.best["train/loss"]
