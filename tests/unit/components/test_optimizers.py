"""Optimizers are torch's own, with the arguments that a spec gives."""

from typing import Any

import pytest
import torch

from craftc.components.build import build

REFERENCES: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, torch.optim.SGD, {}),
    ({"kind": "adam", "lr": 0.1, "betas": [0.8, 0.9], "eps": 1e-6, "weight_decay": 0.1}, torch.optim.Adam, {}),
    ({"kind": "adamw", "lr": 0.1, "betas": [0.8, 0.9], "eps": 1e-6, "weight_decay": 0.1}, torch.optim.AdamW, {}),
    ({"kind": "sgd"}, torch.optim.SGD, {"lr": 1e-2}),
    ({"kind": "adam"}, torch.optim.Adam, {"lr": 1e-3}),
    ({"kind": "adamw"}, torch.optim.AdamW, {"lr": 1e-3, "weight_decay": 0.01}),
]


def fit(make: Any) -> torch.Tensor:
    x = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = make([x])
    for _ in range(5):
        optimizer.zero_grad()
        torch.autograd.backward((x**2).sum())
        optimizer.step()
    return x.detach()


@pytest.mark.parametrize(("component", "reference", "defaults"), REFERENCES, ids=lambda value: str(value)[:30])
def test_steps_are_torchs(component: dict[str, Any], reference: Any, defaults: dict[str, Any]) -> None:
    args = {name: value for name, value in component.items() if name != "kind"} | defaults
    ours = fit(lambda params: build("optimizers", component, params))
    assert torch.equal(ours, fit(lambda params: reference(params, **args)))
    assert ours.abs().sum() < 3
