"""Optimizers beside SGD, Adam and AdamW: a step of each is that of its paper's formula, in float64."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from craftc.components.build import build

LR, B1, B2, EPS, WD = 0.1, 0.8, 0.9, 1e-6, 0.05
NUM_STEPS = 6


def trained(component: dict[str, Any], num_steps: int = NUM_STEPS) -> list[torch.Tensor]:
    """The weights (3, 2), and a bias, after each of some steps down a quadratic whose gradient is 2w + 1."""
    torch.manual_seed(0)
    model = nn.Linear(2, 3).double()
    optimizer = build("optimizers", component, list(model.parameters()), model)
    seen = [model.weight.detach().clone()]
    for _ in range(num_steps):
        for parameter in model.parameters():
            parameter.grad = 2 * parameter.detach() + 1
        optimizer.step()
        seen.append(model.weight.detach().clone())
    if hasattr(optimizer, "eval"):
        optimizer.eval()
        seen.append(model.weight.detach().clone())
    return seen


def gradient(w: torch.Tensor) -> torch.Tensor:
    return 2 * w + 1


def by_nadam(w: torch.Tensor) -> Any:
    m, v, product = torch.zeros_like(w), torch.zeros_like(w), torch.ones(())
    for t in range(1, NUM_STEPS + 1):
        g = gradient(w) + WD * w
        mu, following = (B1 * (1 - 0.5 * 0.96 ** (n * 4e-3)) for n in (t, t + 1))
        product *= mu  # torch keeps it in 32 bits
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        mean = following * m / (1 - product.item() * following) + (1 - mu) * g / (1 - product.item())
        w = w - LR * mean / ((v / (1 - B2**t)).sqrt() + EPS)
        yield w


def by_radam(w: torch.Tensor) -> Any:
    m, v, most = torch.zeros_like(w), torch.zeros_like(w), 2 / (1 - B2) - 1
    for t in range(1, NUM_STEPS + 1):
        g = gradient(w) + WD * w
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        mean, rho = m / (1 - B1**t), most - 2 * t * B2**t / (1 - B2**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            # torch adds eps before the correction.
            w = w - LR * mean * r * math.sqrt(1 - B2**t) / (v.sqrt() + EPS)
        else:
            w = w - LR * mean
        yield w


def by_rmsprop(w: torch.Tensor) -> Any:
    v, mean, step = torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(w)
    for _ in range(NUM_STEPS):
        g = gradient(w) + WD * w
        v, mean = 0.9 * v + 0.1 * g * g, 0.9 * mean + 0.1 * g
        step = 0.5 * step + g / ((v - mean * mean).sqrt() + EPS)
        w = w - LR * step
        yield w


def by_adagrad(w: torch.Tensor) -> Any:
    total = torch.full_like(w, 0.2)
    for t in range(NUM_STEPS):
        g = gradient(w) + WD * w
        total = total + g * g
        w = w - LR / (1 + 0.01 * t) * g / (total.sqrt() + EPS)
        yield w


def by_adafactor(w: torch.Tensor) -> Any:
    row, column = torch.zeros(3, 1).double(), torch.zeros(1, 2).double()
    for t in range(1, NUM_STEPS + 1):
        g, beta = gradient(w), 1 - t**-0.8
        size = min(LR, t**-0.5) * max(1e-3, float(w.square().mean().sqrt()))
        w = w * (1 - LR * WD)
        row = beta * row + (1 - beta) * g.square().mean(1, keepdim=True)
        column = beta * column + (1 - beta) * g.square().mean(0, keepdim=True)
        update = g / (row * column / row.mean()).sqrt()
        w = w - size * update / max(1.0, float(update.square().mean().sqrt()))
        yield w


def by_lion(w: torch.Tensor) -> Any:
    m = torch.zeros_like(w)
    for _ in range(NUM_STEPS):
        g = gradient(w)
        update = (B1 * m + (1 - B1) * g).sign()
        w = w - LR * (update + WD * w)
        m = B2 * m + (1 - B2) * g
        yield w


def by_lamb(w: torch.Tensor) -> Any:
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for t in range(1, NUM_STEPS + 1):
        g = gradient(w)
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        r = (m / (1 - B1**t)) / ((v / (1 - B2**t)).sqrt() + EPS) + WD * w
        w = w - LR * w.norm() / r.norm() * r
        yield w


def by_schedule_free_adamw(w: torch.Tensor) -> Any:
    x, z, y, v = w, w, w, torch.zeros_like(w)
    for t in range(1, NUM_STEPS + 1):
        g = gradient(y)
        v = B2 * v + (1 - B2) * g * g
        z = z - LR * (g / ((v / (1 - B2**t)).sqrt() + EPS) + WD * y)
        x = (1 - 1 / t) * x + z / t
        y = (1 - B1) * z + B1 * x
        yield y
    yield x


def by_schedule_free_sgd(w: torch.Tensor) -> Any:
    x, z, y = w, w, w
    for t in range(1, NUM_STEPS + 1):
        z = z - LR * (gradient(y) + WD * y)
        x = (1 - 1 / t) * x + z / t
        y = 0.2 * z + 0.8 * x
        yield y
    yield x


PLAIN = {"lr": LR, "weight_decay": WD}
ADAM = PLAIN | {"betas": [B1, B2], "eps": EPS}
CASES: list[tuple[dict[str, Any], Any]] = [
    ({"kind": "nadam", **ADAM}, by_nadam),
    ({"kind": "radam", **ADAM}, by_radam),
    ({"kind": "rmsprop", **PLAIN, "alpha": 0.9, "eps": EPS, "momentum": 0.5, "centered": True}, by_rmsprop),
    ({"kind": "adagrad", **PLAIN, "lr_decay": 0.01, "eps": EPS, "initial_accumulator": 0.2}, by_adagrad),
    ({"kind": "adafactor", **PLAIN}, by_adafactor),
    ({"kind": "lion", **PLAIN, "betas": [B1, B2]}, by_lion),
    ({"kind": "lamb", **ADAM}, by_lamb),
    ({"kind": "schedule_free_adamw", **ADAM}, by_schedule_free_adamw),
    ({"kind": "schedule_free_sgd", **PLAIN, "momentum": 0.8}, by_schedule_free_sgd),
]


@pytest.mark.parametrize(("component", "formula"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_steps_are_those_of_the_papers(component: dict[str, Any], formula: Any) -> None:
    first, *seen = trained(component)
    expected = list(formula(first))
    assert len(seen) == len(expected) >= NUM_STEPS
    for one, other in zip(seen, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=0.0)
    assert not torch.allclose(seen[-1], first)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.inner, self.head = nn.Embedding(5, 3), nn.Linear(3, 4), nn.Linear(4, 2)


def muon_of(**args: Any) -> tuple[Any, Net]:
    model = Net()
    return build("optimizers", {"kind": "muon", **args}, list(model.parameters()), model), model


def names_of(optimizer: Any, model: Net, algorithm: str) -> set[str]:
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [group for group in optimizer.param_groups if group["algorithm"] == algorithm]
    return {named[id(parameter)] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize(
    ("args", "hidden"),
    [
        ({}, {"inner.weight"}),
        ({"head": "none"}, {"inner.weight", "head.weight"}),
        ({"head": ["inner.*"]}, {"head.weight"}),
    ],
)
def test_muon_has_the_hidden_matrices_and_adamw_the_rest(args: dict[str, Any], hidden: set[str]) -> None:
    optimizer, model = muon_of(**args)
    assert names_of(optimizer, model, "muon") == hidden
    assert names_of(optimizer, model, "adamw") == {name for name, _ in model.named_parameters()} - hidden
    with pytest.raises(ValueError, match='named "hed'):
        muon_of(head=["hed.*"])


def test_a_step_of_muon_is_one_of_each_of_torchs() -> None:
    torch.manual_seed(0)
    optimizer, model = muon_of(lr=0.05, adamw_lr=0.01, weight_decay=0.1)
    torch.manual_seed(0)
    twin = Net()
    twin.load_state_dict(model.state_dict())
    muon = torch.optim.Muon([twin.inner.weight], lr=0.05, momentum=0.95, weight_decay=0.1, adjust_lr_fn="original")
    others = [p for p in twin.parameters() if p is not twin.inner.weight]
    adamw = torch.optim.AdamW(others, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    for _ in range(3):
        for one, other in zip(model.parameters(), twin.parameters(), strict=True):
            one.grad = torch.sin(one.detach() * 3)
            other.grad = one.grad.clone()
        optimizer.step()
        muon.step()
        adamw.step()
    assert all(map(torch.equal, model.parameters(), twin.parameters()))
