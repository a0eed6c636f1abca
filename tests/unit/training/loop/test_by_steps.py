"""Trainings that are counted in steps or tokens, and record within passes: against the same counted in epochs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from craftc.components.sources.columns import Column
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.data.split import Split
from craftc.training.data.tokens import Tokens, find_course, tokens_of_samples
from craftc.training.foundation.course import Course, course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import train_together
from craftc.training.parts.misfits_of_phases import misfits_of_phases
from craftc.training.parts.schedule import build_schedule
from craftc.training.state.checkpoint import last_path
from craftc.training.state.history import read_history
from craftc.training.state.member import Member

MakeTrial = Callable[..., Trial]
RunTrial = Callable[..., tuple[list[EpochRecord], Result]]
PLATEAU = {"kind": "reduce_on_plateau", "metric": "train/loss", "mode": "max", "factor": 0.5, "patience": 1}
STATEFUL: dict[str, Any] = {
    "regularization.ema_decay": 0.9,
    "training.schedule": [{"kind": "linear_warmup", "epochs": 1, "start_lr": 0.0}, PLATEAU],
}
STEPS = 11
"""Of the base trial, in a pass."""


def weights(folder: Path) -> list[torch.Tensor]:
    state = torch.load(last_path(folder), weights_only=True)
    return [*state["model"].values(), *state["ema"].values()]


def lines(records: list[EpochRecord]) -> list[Any]:
    return [record.model_dump(exclude={"trial", "seconds"}) for record in records]


def without_epochs(trial: Trial) -> Trial:
    del trial.config["training"]["epochs"]
    return trial


def test_a_spec_in_epochs_is_the_same_in_steps_bit_by_bit(
    make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path
) -> None:
    by_epochs, result = run_trial(make_trial(STATEFUL), tmp_path / "epochs")
    assert by_epochs[0].step == STEPS
    warmup = {"kind": "linear_warmup", "steps": STEPS, "start_lr": 0.0}
    in_steps = {
        "training.max_steps": 3 * STEPS,
        "evaluation.every": {"steps": STEPS},
        "training.schedule": [warmup, PLATEAU],
    }
    trial = without_epochs(make_trial(STATEFUL | in_steps))
    by_steps, same = run_trial(trial, tmp_path / "steps")
    assert lines(by_steps) == lines(by_epochs)
    ours, theirs = weights(tmp_path / "steps"), weights(tmp_path / "epochs")
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert same.model_dump(exclude={"trial", "seconds"}) == result.model_dump(exclude={"trial", "seconds"})
    assert trial.epochs == same.epochs_planned == 3


# Draws from the global generators, as a user's own model may.
DRAWS = """
import random

import numpy as np
import torch

class Draws(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 10))

    def forward(self, x):
        if self.training:
            x = x + random.random() + np.random.random()
        return super().forward(x)
"""


def test_steps_are_the_same_whenever_a_record_is_made(
    make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "draws.py").write_text(DRAWS)
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"regularization.ema_decay": 0.9, "model": {"kind": "draws:Draws"}}
    found = {}
    for name, every, ends in (
        ("passes", {"epochs": 1}, [11, 22, 33]),
        ("two", {"epochs": 2}, [22, 33]),
        ("steps", {"steps": 8}, [8, 16, 24, 32, 33]),
    ):
        records, result = run_trial(make_trial(settings | {"evaluation.every": every}), tmp_path / name)
        assert [record.step for record in records] == ends
        assert result.epochs_trained == result.epochs_planned == len(ends)
        found[name] = weights(tmp_path / name), records[-1].metrics["valid/loss"]
    for parts, loss in found.values():
        assert all(torch.equal(a, b) for a, b in zip(parts, found["passes"][0], strict=True))
        assert loss == found["passes"][1]


def test_the_objective_of_a_record_is_that_of_its_steps(
    make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path
) -> None:
    each, result = run_trial(
        make_trial({"evaluation.every": {"steps": 1}, "objective.class_weights": "none"}), tmp_path / "1"
    )
    some, _ = run_trial(
        make_trial({"evaluation.every": {"steps": 5}, "objective.class_weights": "none"}), tmp_path / "5"
    )
    sizes = [min(64, result.split_sizes["train"] - 64 * (step % STEPS)) for step in range(3 * STEPS)]
    objectives = [record.metrics["train/objective"] for record in each]
    for record in some:
        own = range(5 * (record.epoch - 1), record.step)
        mean = sum(objectives[i] * sizes[i] for i in own) / sum(sizes[i] for i in own)
        assert record.metrics["train/objective"] == pytest.approx(mean, rel=1e-12)


def test_the_first_bound_that_is_reached_ends_a_training() -> None:
    def steps(**bounds: int) -> int:
        return course_of({"training": {"batch_size": 10, **bounds}}, 95).num_steps

    assert (steps(epochs=3), steps(max_steps=25), steps(epochs=3, max_steps=25)) == (30, 25, 25)
    assert steps(epochs=2, max_steps=25) == 20
    assert course_of({"training": {"batch_size": 10, "accumulate": 2, "epochs": 1}}, 95).num_steps == 5


def test_a_course_divides_steps_into_records_and_passes() -> None:
    config = {"training": {"batch_size": 10, "max_steps": 25}, "evaluation": {"every": {"steps": 4}}}
    course = course_of(config, 95)
    assert (course.num_records, course.first_of(7), course.end_of(7)) == (7, 24, 25)
    assert [tuple(course.stretch(step, 25)) for step in (0, 8, 24)] == [(1, 0, 10), (1, 8, 2), (3, 4, 1)]


# Members of one training that end within a record of the others.
MEMBERS: dict[str, dict[str, Any]] = {
    "longest": {"training.max_steps": 40},
    "of epochs": {"training.epochs": 3},
    "within a record": {"training.max_steps": 15},
    "at the end of a record": {"training.max_steps": 12, "evaluation.select": "none"},
    "within the first": {"training.max_steps": 2, "objective.metrics": []},
    "stopped": {
        "training.max_steps": 33,
        "training.early_stopping": {"metric": "train/loss", "mode": "max", "patience": 2, "min_delta": 0.0},
    },
}


@pytest.mark.parametrize(
    "schedule", [[{"kind": "constant"}], STATEFUL["training.schedule"]], ids=["constant", "plateau"]
)
def test_trials_that_share_a_training_end_within_records_of_each_other(
    make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path, schedule: list[dict[str, Any]]
) -> None:
    common = {
        "training.schedule": schedule,
        "training.epochs": 9,
        "evaluation.every": {"steps": 6},
        "regularization.ema_decay": 0.9,
    }
    trials = {name: make_trial(common | own) for name, own in MEMBERS.items()}
    if schedule[0]["kind"] != "constant":
        del trials["within the first"]
    told = list(train_together([Member(t, tmp_path / "all" / n) for n, t in trials.items()], device="cpu"))
    results = {item.trial: item for item in told if isinstance(item, Result)}
    for name, trial in trials.items():
        _, alone = run_trial(trial, tmp_path / "alone" / name)
        assert results[trial.id].model_dump(exclude={"seconds"}) == alone.model_dump(exclude={"seconds"})
        ours, theirs = (read_history(tmp_path / where / name, trial.id).records for where in ("all", "alone"))
        assert lines(ours) == lines(theirs)
        states = weights(tmp_path / "all" / name), weights(tmp_path / "alone" / name)
        assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_a_warm_up_in_steps_is_that_of_plain_torch() -> None:
    settings = [{"kind": "linear_warmup", "steps": 5, "start_lr": 0.0}, {"kind": "cosine", "end_lr": 0.0}]
    schedule = build_schedule(settings, num_steps=23, steps_per_epoch=4)

    def factor(step: int) -> float:
        return step / 5 if step < 5 else (1 + math.cos(math.pi * (step - 5) / 18)) / 2

    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=0.3)
    by_torch = LambdaLR(optimizer, factor)
    for step in range(23):
        assert schedule.lr(0.3, step) == pytest.approx(by_torch.get_last_lr()[0], rel=1e-13, abs=0)
        optimizer.step()
        by_torch.step()


def test_phases_of_epochs_and_steps_follow_each_other() -> None:
    settings = [
        {"kind": "linear_warmup", "steps": 3, "start_lr": 0.0},
        {"kind": "constant", "epochs": 1},
        {"kind": "cosine", "end_lr": 0.0},
    ]
    schedule = build_schedule(settings, num_steps=11, steps_per_epoch=4)
    rates = [schedule.lr(1.0, step) for step in range(11)]
    assert rates[:8] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1, 1, 1])
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[9] < 1
    with pytest.raises(ValueError, match="the phases of the schedule take 7 steps, and the training has 6"):
        build_schedule(settings, num_steps=6, steps_per_epoch=4)


def test_a_plateau_observes_the_records_that_end_in_it() -> None:
    settings = [{"kind": "linear_warmup", "steps": 3, "start_lr": 0.0}, PLATEAU | {"mode": "min"}]
    schedule = build_schedule(settings, num_steps=20, steps_per_epoch=4)
    for epoch, step in enumerate((2, 4, 6), start=1):
        metrics = {"train/loss": float(epoch)}
        schedule.observe(EpochRecord(trial="t", epoch=epoch, step=step, metrics=metrics, seconds=0.0), [])
    # The record up to step 2 is one of the warm-up; the one up to 4 is the first of the plateau.
    assert schedule.lr(1.0, 6) == 0.5


def test_a_phase_of_ones_own_may_count_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own_phase.py").write_text(
        "class Falls:\n    steps = 4\n    def lr(self, base_lr, step, num_steps, steps_per_epoch):\n"
        "        return base_lr * (1 - step / num_steps)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    schedule = build_schedule([{"kind": "own_phase:Falls"}, {"kind": "constant"}], num_steps=6, steps_per_epoch=2)
    assert [schedule.lr(1.0, step) for step in range(6)] == [1, 0.75, 0.5, 0.25, 1, 1]


RNG = np.random.default_rng(0)
MASK = RNG.random((50, 8)) < 0.7
TEXT = Split({"x": Column(np.zeros((50, 8), dtype=np.int64), "token"), "mask": Column(MASK, "mask", "mask")})


def order(pass_: int) -> Any:
    return np.random.default_rng(pass_).permutation(50)


@pytest.mark.parametrize("most", [1, 100, 271, int(MASK.sum()), int(MASK.sum()) + 1, 3 * int(MASK.sum()), 1234])
def test_tokens_end_a_training_at_the_first_step_that_reaches_them(most: int) -> None:
    course, tokens = find_course({"training": {"batch_size": 7, "max_tokens": most}, "data": {}}, TEXT, order)
    assert tokens is not None
    read, step = 0, 0
    while read < most:
        place = step % course.steps_per_pass
        batch = order(step // course.steps_per_pass + 1)[7 * place : 7 * place + 7]
        read += int(MASK[batch].sum())
        step += 1
        assert tokens.after(step) == read
    assert course.num_steps == step


def test_tokens_are_those_of_all_inputs_that_are_tokens() -> None:
    assert tokens_of_samples(Split({"x": Column(np.zeros((4, 3)), "real")})) is None
    two = {
        "x": Column(np.zeros((4, 3), dtype=np.int64), "token"),
        "y": Column(np.zeros((4, 5), dtype=np.int64), "token"),
    }
    found = tokens_of_samples(Split(two))
    assert found is not None
    assert found.tolist() == [8] * 4
    config, of_numbers = (
        {"training": {"batch_size": 2, "max_tokens": 9}, "data": {}},
        {"x": Column(np.zeros((4, 3)), "real")},
    )
    with pytest.raises(TrainingError, match=r"it is given x \(real\)"):
        find_course(config, Split(of_numbers), order)


def test_samples_without_a_token_take_no_step_once_all_are_read() -> None:
    tokens = Tokens(np.array([3, 0, 3, 0, 0, 0]), 2, lambda pass_: np.arange(6))
    assert [tokens.steps_to(num) for num in (1, 3, 4, 6, 7, 12)] == [1, 1, 2, 2, 4, 5]


def test_of_what_was_planned_in_another_unit_the_lengths_are_compared() -> None:
    def found(course: Course, *phases: dict[str, Any], **bounds: int) -> list[tuple[str, str]]:
        return [(each.code, each.message) for _, each in misfits_of_phases({"schedule": phases, **bounds}, course)]

    warmup, rest = {"kind": "linear_warmup", "steps": 30}, {"kind": "cosine", "epochs": "none"}
    of_20 = Course(40, 4, 20, 10)
    assert found(of_20, warmup, rest, epochs=2) == [
        ("schedule-too-long", "the phases take 30 steps, and the training has 20")
    ]
    assert found(of_20, warmup | {"steps": 20}, rest, epochs=2) == [
        ("no-effect", "cosine never comes: the phases before it take all 20 steps")
    ]
    assert [code for code, _ in found(of_20, warmup | {"steps": 5}, epochs=2)] == ["schedule-too-short"]
    assert found(of_20, warmup | {"steps": 5}, rest, epochs=2) == []
    assert found(of_20, warmup | {"steps": 5}, max_steps=20) == [], "linting has said so"
