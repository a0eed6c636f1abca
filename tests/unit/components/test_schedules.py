"""Learning-rate phases at their ends and between, and the plateau's memory."""

from typing import Any

import pytest

from craftc.components.build import build


def rates(component: dict[str, Any], num_steps: int = 4, base_lr: float = 0.8) -> list[float]:
    schedule = build("schedules", component)
    return [schedule.lr(base_lr, step, num_steps, 2) for step in range(num_steps)]


def test_warmup_rises_on_a_line_towards_the_base_rate() -> None:
    assert rates({"kind": "linear_warmup", "epochs": 2, "start_lr": 0.4}) == pytest.approx([0.4, 0.5, 0.6, 0.7])
    assert build("schedules", {"kind": "linear_warmup", "epochs": 2}).lr(0.8, 4, 4, 2) == 0.8


def test_cosine_falls_from_the_base_rate_to_its_end() -> None:
    assert rates({"kind": "cosine", "end_lr": 0.4})[::2] == pytest.approx([0.8, 0.6])
    falling = rates({"kind": "cosine"}, num_steps=100)
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 0.001


def test_constant_stays() -> None:
    assert rates({"kind": "constant", "epochs": 2}) == [0.8] * 4


@pytest.mark.parametrize("kind", ["cosine", "constant", "reduce_on_plateau"])
def test_a_phase_lasts_as_long_as_said_or_to_the_end(kind: str) -> None:
    assert build("schedules", {"kind": kind}).epochs == "none"
    assert build("schedules", {"kind": kind, "epochs": 3}).epochs == 3


def test_a_phase_of_no_steps_has_a_rate() -> None:
    for component in ({"kind": "linear_warmup", "epochs": 0}, {"kind": "cosine"}, {"kind": "constant"}):
        assert build("schedules", component).lr(0.8, 0, 0, 2) >= 0


def plateau(**args: Any) -> Any:
    return build("schedules", {"kind": "reduce_on_plateau", "factor": 0.5, "patience": 2, **args})


def observed(schedule: Any, values: list[float]) -> list[float]:
    seen = []
    for value in values:
        schedule.observe(value)
        seen.append(schedule.lr(0.8, 0, 10, 2))
    return seen


def test_plateau_falls_after_patience_epochs_without_improvement() -> None:
    values = [3.0, 2.0, 2.0, 2.5, 1.0, float("nan"), 1.0, 1.0, 1.0]
    assert observed(plateau(mode="min"), values) == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.1])


def test_plateau_knows_which_way_is_better() -> None:
    rising = [0.1, 0.2, 0.3, 0.4]
    assert observed(plateau(mode="max"), rising)[-1] == observed(plateau(metric="valid/accuracy"), rising)[-1] == 0.8
    assert observed(plateau(), rising)[-1] == observed(plateau(mode="min"), rising)[-1] == 0.4


def test_plateau_stops_at_min_lr_and_never_raises_the_rate() -> None:
    assert observed(plateau(min_lr=0.3), [1.0] * 9)[-1] == 0.3
    assert plateau(min_lr=2.0).lr(0.8, 0, 10, 2) == 0.8


def test_plateau_goes_on_from_its_state() -> None:
    values = [3.0, 3.0, 2.0, 2.0]
    straight, first, second = plateau(), plateau(), plateau()
    observed(first, values)
    second.load_state_dict(first.state_dict())
    assert observed(straight, [*values, 2.0, 2.0])[-2:] == observed(second, [2.0, 2.0])
