"""Phases that fall, or rise and fall: rates of torch's schedulers, or of the papers' formulas, over a whole course."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from craftc.training.parts.schedule import build_schedule

BASE, NUM_STEPS, PER_EPOCH = 0.3, 60, 5
NUM_EPOCHS = NUM_STEPS // PER_EPOCH


def rates(*components: dict[str, Any], num_steps: int = NUM_STEPS) -> list[float]:
    schedule = build_schedule(components, num_steps=num_steps, steps_per_epoch=PER_EPOCH)
    return [schedule.lr(BASE, step) for step in range(num_steps)]


def by_torch(make: Callable[[torch.optim.Optimizer], Any], *, unit: str = "steps") -> list[float]:
    """The rates of a scheduler that is stepped after every step, or after every epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler, found = make(optimizer), []
    for step in range(NUM_STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < NUM_STEPS and (unit == "steps" or (step + 1) % PER_EPOCH == 0):
            scheduler.step()
    return found


ONE_CYCLE = {"max_lr": BASE, "total_steps": NUM_STEPS, "cycle_momentum": False}
CASES: list[tuple[dict[str, Any], Callable[[torch.optim.Optimizer], Any], str]] = [
    ({"kind": "one_cycle"}, lambda o: torchs.OneCycleLR(o, **ONE_CYCLE), "steps"),
    (
        {"kind": "one_cycle", "pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0, "three_phase": True},
        lambda o: torchs.OneCycleLR(
            o, **ONE_CYCLE, pct_start=0.25, div_factor=10.0, final_div_factor=100.0, three_phase=True
        ),
        "steps",
    ),
    (
        {"kind": "one_cycle", "pct_start": 0.01, "shape": "linear"},
        lambda o: torchs.OneCycleLR(o, **ONE_CYCLE, pct_start=0.01, anneal_strategy="linear"),
        "steps",
    ),
    ({"kind": "step", "step_size": 3}, lambda o: torchs.StepLR(o, 3), "epochs"),
    ({"kind": "step", "step_size": 7, "gamma": 0.5, "unit": "steps"}, lambda o: torchs.StepLR(o, 7, 0.5), "steps"),
    ({"kind": "multi_step", "milestones": [9, 2, 2]}, lambda o: torchs.MultiStepLR(o, [2, 2, 9]), "epochs"),
    (
        {"kind": "multi_step", "milestones": [1, 33], "gamma": 0.3, "unit": "steps"},
        lambda o: torchs.MultiStepLR(o, [1, 33], 0.3),
        "steps",
    ),
    ({"kind": "exponential", "gamma": 0.9}, lambda o: torchs.ExponentialLR(o, 0.9), "epochs"),
    ({"kind": "exponential", "gamma": 0.97, "unit": "steps"}, lambda o: torchs.ExponentialLR(o, 0.97), "steps"),
    ({"kind": "polynomial"}, lambda o: torchs.PolynomialLR(o, NUM_STEPS), "steps"),
    ({"kind": "polynomial", "power": 2.5}, lambda o: torchs.PolynomialLR(o, NUM_STEPS, 2.5), "steps"),
    (
        {"kind": "cosine_restarts", "period": 4, "period_factor": 2, "end_lr": 0.01, "unit": "steps"},
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 4, 2, 0.01),
        "steps",
    ),
    (
        {"kind": "cosine_restarts", "period": 3},
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 3 * PER_EPOCH),
        "steps",
    ),
]


@pytest.mark.parametrize(("component", "make", "unit"), CASES, ids=[str(component) for component, *_ in CASES])
def test_rates_are_torchs(component: dict[str, Any], make: Any, unit: str) -> None:
    assert rates(component) == pytest.approx(by_torch(make, unit=unit), rel=1e-13, abs=1e-15)
    assert len(set(rates(component))) >= 3


def test_inverse_sqrt_is_vaswanis() -> None:
    w, n = 12, range(1, NUM_STEPS + 1)
    d = 1 / (BASE**2 * w)  # the width at which the paper's highest rate is that
    paper = [d**-0.5 * min(step**-0.5, step * w**-1.5) for step in n]
    assert rates({"kind": "inverse_sqrt", "timescale": w}) == pytest.approx(paper, rel=1e-13)
    by_epochs = rates({"kind": "inverse_sqrt", "timescale": 2, "unit": "epochs"})
    assert by_epochs == rates({"kind": "inverse_sqrt", "timescale": 2 * PER_EPOCH})
    behind = rates({"kind": "linear_warmup", "steps": w}, {"kind": "inverse_sqrt", "timescale": w, "warmup": False})
    # As transformers has it, whose rise begins at 0.
    expected = [BASE * (s / w if s < w else math.sqrt(w / s)) for s in range(NUM_STEPS)]
    assert behind == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("shape", ["linear", "cosine", "one_minus_sqrt"])
def test_wsd_is_that_of_transformers(shape: str) -> None:
    up, down, low = 6, 15, 0.03
    found = rates({"kind": "wsd", "warmup": 0.1, "decay": 0.25, "shape": shape, "end_lr": low})
    fall = {
        "linear": lambda x: 1 - x,
        "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * x)),
        "one_minus_sqrt": lambda x: 1 - math.sqrt(x),
    }[shape]
    stay = NUM_STEPS - down
    expected = [
        BASE * s / up if s < up else BASE if s < stay else low + (BASE - low) * fall((s - stay) / down)
        for s in range(NUM_STEPS)
    ]
    assert found == pytest.approx(expected, rel=1e-13)
    assert rates({"kind": "wsd", "decay": 0.0}) == [BASE] * NUM_STEPS


OPEN = [
    {"kind": "one_cycle"},
    {"kind": "step", "step_size": 1},
    {"kind": "multi_step", "milestones": [1]},
    {"kind": "exponential", "gamma": 0.9},
    {"kind": "polynomial"},
    {"kind": "inverse_sqrt"},
    {"kind": "wsd"},
    {"kind": "cosine_restarts", "period": 1},
]


@pytest.mark.parametrize("component", OPEN, ids=lambda value: value["kind"])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 5])
def test_the_shortest_phases_have_rates(component: dict[str, Any], num_steps: int) -> None:
    assert all(0 <= rate <= BASE * (1 + 1e-12) for rate in rates(component, num_steps=num_steps))


@pytest.mark.parametrize("component", OPEN, ids=lambda value: value["kind"])
def test_what_says_that_it_does_not_depend_on_the_length_does_not(component: dict[str, Any]) -> None:
    from craftc.components.build import load_component

    declared = getattr(load_component("schedules", component["kind"]), "depends_on_length", True)
    assert declared == (rates(component)[:20] != rates(component, num_steps=20))
