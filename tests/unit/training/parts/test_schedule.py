"""Learning-rate phases, one after another."""

import pytest

from craftc.schemas.result import EpochRecord
from craftc.training.parts.schedule import build_schedule

WARMUP = {"kind": "linear_warmup", "epochs": 2, "start_lr": 0.0}


def rates(settings, *, num_steps, steps_per_epoch):
    schedule = build_schedule(settings, num_steps=num_steps, steps_per_epoch=steps_per_epoch)
    return [schedule.lr(1.0, step) for step in range(num_steps)]


def record(epoch, metrics, step=None):
    return EpochRecord(trial="t", epoch=epoch, step=step or epoch, metrics=metrics, seconds=0.0)


def test_warm_up_is_per_step_and_then_hands_over():
    found = rates([WARMUP, {"kind": "constant"}], num_steps=12, steps_per_epoch=4)
    assert found == pytest.approx([0, 1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1, 1, 1, 1])


def test_a_phase_of_no_epochs_is_skipped():
    cosine = {"kind": "cosine", "end_lr": 0.0}
    with_empty = rates([WARMUP | {"epochs": 0}, cosine], num_steps=6, steps_per_epoch=3)
    assert with_empty == rates([cosine], num_steps=6, steps_per_epoch=3)
    assert with_empty[0] == 1


def test_behind_the_last_phase_its_last_rate_stays():
    found = rates([{"kind": "cosine", "epochs": 2, "end_lr": 0.0}], num_steps=8, steps_per_epoch=2)
    assert found[4:] == [found[3]] * 4


def test_only_the_last_phase_takes_what_remains():
    with pytest.raises(ValueError, match="phase 0 of the schedule takes all that remains, but is not the last"):
        rates([{"kind": "constant"}, WARMUP], num_steps=4, steps_per_epoch=1)


def test_a_schedule_without_an_epoch_is_refused():
    with pytest.raises(ValueError, match="no phase of the schedule lasts a step"):
        rates([WARMUP | {"epochs": 0}], num_steps=4, steps_per_epoch=1)


def test_a_plateau_observes_only_its_own_epochs_and_keeps_its_state():
    plateau = {"kind": "reduce_on_plateau", "metric": "valid/loss", "mode": "min", "factor": 0.5, "patience": 1}
    settings = [WARMUP | {"epochs": 1}, plateau]
    schedule = build_schedule(settings, num_steps=9, steps_per_epoch=1)
    for epoch, loss in enumerate([0.1, 1.0, 0.9], start=1):
        schedule.observe(record(epoch, {"valid/loss": loss}), [])
    assert schedule.lr(1.0, 3) == 1.0, "the loss of the warm-up's epoch is not the one to beat"
    schedule.observe(record(4, {"valid/loss": 0.9}), [])
    assert schedule.lr(1.0, 4) == 0.5
    again = build_schedule(settings, num_steps=9, steps_per_epoch=1)
    again.load_state_dict(schedule.state_dict())
    assert again.lr(1.0, 4) == 0.5


def test_an_epoch_whose_metric_is_not_finite_is_no_improvement():
    plateau = {"kind": "reduce_on_plateau", "metric": "valid/ratio", "mode": "max", "factor": 0.5, "patience": 2}
    schedule = build_schedule([plateau], num_steps=9, steps_per_epoch=1)
    rates_after = []
    for epoch, ratio in enumerate([{}, {"valid/ratio": 0.5}, {}, {}], start=1):
        schedule.observe(record(epoch, {"valid/loss": 1.0, **ratio}), ["ratio"])
        rates_after.append(schedule.lr(1.0, epoch))
    assert rates_after == [1.0, 1.0, 1.0, 0.5]
