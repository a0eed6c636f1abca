"""A job of a point: what it reports to the study, and what a decision of the study does to it."""

import copy
import hashlib
import json
from functools import partial

import pytest

from craftc.runtime.jobs.job_source import Point, Work
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.runtime.worker.run_work import run_work
from craftc.schemas.plan import JobResources, Trial
from craftc.schemas.result import TrialFailed, TrialFinished, TrialPruned, TrialStarted

CONFIG = {
    "data": {
        "source": {"kind": "digits"},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0},
        "normalize": {"kind": "per_line"},
        "augment": [],
    },
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]},
    "regularization": {"clip_grad_norm": "none", "ema_decay": "none"},
    "training": {
        "epochs": 3,
        "batch_size": 128,
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "schedule": [{"kind": "constant"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}


def make_trial(seed, lr=0.01):
    config = copy.deepcopy(CONFIG)
    config["training"]["optimizer"]["lr"] = lr
    name = json.dumps([config, seed])
    return Trial(id=hashlib.sha256(name.encode()).hexdigest(), variant="base/1", seed=seed, config=config)


class Study:
    """Keeps what is reported, and says stop from a step on."""

    def __init__(self, stop_at=None):
        self.told, self.stop_at = [], stop_at

    def __call__(self, point, step, value):
        self.told.append((step, value))
        return self.stop_at is None or step < self.stop_at


def work(trials, *, is_prunable=True, left=None):
    point = Point(
        study="base", number=1, trials=tuple(t.id for t in trials), metric="valid/accuracy", epochs=3,
        is_prunable=is_prunable,
    )  # fmt: skip
    return Work(trials=tuple(left or trials), resources=JobResources(), point=point)


def run(work, store, study):
    return list(run_work(work, partial(run_job, store=store, device="cpu", cpus=1), store=store, report=study))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def trials():
    return [make_trial(0), make_trial(1)]


def test_steps_count_through_the_seeds_and_values_tend_to_their_mean(store, trials):
    study = Study()
    events = run(work(trials), store, study)
    first, second = (event.result for event in events if isinstance(event, TrialFinished))
    alone = [record.metrics["valid/accuracy"] for record in store.history(first.trial)]
    then = [record.metrics["valid/accuracy"] for record in store.history(second.trial)]
    judged = first.best["valid/accuracy"]
    assert study.told == [
        *((epoch, value) for epoch, value in enumerate(alone, start=1)),
        *((3 + epoch, pytest.approx((judged + value) / 2)) for epoch, value in enumerate(then, start=1)),
    ]


@pytest.mark.parametrize(("stop_at", "epochs"), [(1, [1, 0]), (2, [2, 0]), (4, [3, 1])])
def test_a_stopped_point_trains_no_further(store, trials, stop_at, epochs):
    events = run(work(trials), store, Study(stop_at))
    assert [len(store.history(trial.id)) for trial in trials] == epochs
    pruned = [event for event in events if isinstance(event, TrialPruned)]
    assert [(event.epoch, event.epochs_planned) for event in pruned] == [(e, 3) for e in epochs if e < 3]
    assert {event.reason for event in pruned} == {"pruner"}
    for trial, num_epochs in zip(trials, epochs, strict=True):
        assert store.is_finished(trial.id) == (num_epochs == 3)
        assert (store.folder(trial.id) / "checkpoints/last.pt").exists() == (num_epochs > 0)


def test_a_stop_at_the_last_epoch_is_not_taken(store, trials):
    events = run(work(trials), store, Study(stop_at=6))
    assert [type(event) for event in events if isinstance(event, TrialFinished | TrialPruned)] == [TrialFinished] * 2


def test_a_point_that_may_not_be_pruned_reports_and_goes_on(store, trials):
    study = Study(stop_at=1)
    events = run(work(trials, is_prunable=False), store, study)
    assert sum(isinstance(event, TrialFinished) for event in events) == 2
    assert [step for step, _ in study.told] == [1, 2, 3, 4, 5, 6]


def test_met_again_it_is_decided_on_from_the_store_without_training(store, trials):
    first = Study(stop_at=2)
    run(work(trials), store, first)
    again = Study(stop_at=2)
    events = run(work(trials), store, again)
    assert again.told == first.told
    assert [event.epoch for event in events] == [2, 0]
    assert not any(isinstance(event, TrialStarted) for event in events)


def test_a_pruned_trial_that_is_wanted_whole_goes_on_where_it_stopped(store, trials, tmp_path):
    run(work(trials[:1]), store, Study(stop_at=2))
    study = Study()
    events = run(work(trials[:1]), store, study)
    assert events[0] == TrialStarted(trial=trials[0].id, epoch=2)
    assert [step for step, _ in study.told] == [1, 2, 3]
    straight = Store(tmp_path / "straight")
    run(work(trials[:1]), straight, Study())
    results = [each.result(trials[0].id).model_copy(update={"seconds": 0.0}) for each in (store, straight)]
    assert results[0] == results[1]


def test_what_the_store_holds_makes_it_faster_and_never_different(store, trials):
    whole, stopped = Study(), Study(stop_at=2)
    run(work(trials), store, whole)
    events = run(work(trials), store, stopped)
    assert [(event.type, event.epoch) for event in events] == [("pruned", 2), ("pruned", 0)]
    assert stopped.told == whole.told[:2]


def test_a_job_begun_again_reports_what_its_finished_trials_came_to(store, trials):
    straight = Study()
    run(work(trials), store, straight)
    again = Study()
    run(work(trials, left=trials[1:]), store, again)
    assert again.told == straight.told


def test_a_failing_seed_ends_its_point(store):
    bad, other = make_trial(0, lr=1e30), make_trial(1)
    events = run(work([bad, other]), store, Study())
    assert isinstance(events[-2], TrialFailed)
    assert events[-1] == TrialPruned(trial=other.id, epoch=0, epochs_planned=3, reason="other-seed-failed")
    assert not store.folder(other.id).exists()
