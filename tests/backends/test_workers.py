"""Trials of several workers on a real Ray of two CPUs, which one team fills."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.jobs.backend import BackendError, PlacementError
from craftc.runtime.on_ray.backend import RayBackend
from craftc.runtime.on_ray.cluster import check_placement
from craftc.runtime.store.store import Store
from craftc.schemas.plan import JobResources, Trial
from craftc.schemas.result import EpochEnded, Event, TrialFailed, TrialFinished, TrialStarted, TrialTried

# What float32 sums in another order may change over a few epochs; measured: at most 2e-7.
TOLERANCE = 5e-6

TIMEOUT_S = 800.0
"""By then every run here is over, unless somebody waits for resources that nobody gives back."""


@pytest.fixture(scope="module")
def two_workers(make_plan):
    """A plan whose trials have two workers each; nothing limits how many of them wait at once."""

    def make(*jobs):
        plan = make_plan(*jobs)
        jobs = tuple(job.model_copy(update={"resources": JobResources(workers=2)}) for job in plan.jobs)
        return plan.model_copy(update={"jobs": jobs})

    return make


def stopping_early(trial):
    config = trial.config | {
        "training": trial.config["training"]
        | {
            "epochs": 50,
            "optimizer": {"kind": "adamw", "lr": 1e-12},
            "early_stopping": {"metric": "valid/loss", "patience": 2, "mode": "min", "min_delta": 0.5},
        }
    }
    return trial.model_copy(update={"config": config, "id": trial.id[::-1]})


def events_in_time(events):
    deadline = time.monotonic() + TIMEOUT_S
    for event in events:
        assert time.monotonic() < deadline
        yield event


def num_placement_groups():
    """How many hold resources in the Ray that this process is connected to."""
    return sum(group["state"] == "CREATED" for group in ray.util.placement_group_table().values())


def processes(home, name):
    """The processes of that name which Ray started below `home`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
            if command.startswith(name) and str(home.path).encode() in environment:
                found.append(int(entry.name))
    return found


@dataclass(frozen=True)
class Trained:
    """A run of a trial that fails, of a job of three trials whose last one loses processes, and of what is behind it;
    it was stopped while its last trial trained."""

    told: list[Event]
    failing: Trial
    whole: tuple[Trial, Trial]
    lost: Trial
    last: Trial
    num_killed: int
    groups: list[int]
    """How many placement groups there were whenever a trial began, and at the end."""
    num_stopped: int
    """The workers that were there at the end."""
    store: Store

    def starts_of(self, trial: Trial) -> list[TrialStarted]:
        return [event for event in self.told if isinstance(event, TrialStarted) and event.trial == trial.id]


@pytest.fixture(scope="module")
def train(make_trial, two_workers, tmp_path_factory, home):
    """Runs them, and kills a process of each of these names in turn, when the lost trial has begun and trains."""

    def run(*victims, has_next):
        failing, first, early = make_trial(2, lr=1e38), make_trial(0), stopping_early(make_trial(3))
        lost, behind = make_trial(1, endless=True), make_trial(4, endless=True)
        last = behind if has_next else lost
        # All jobs wait at once for the two CPUs: were groups made bit by bit, they would starve each other.
        plan = two_workers([failing], [first, early, lost], *([[behind]] if has_next else []))
        store = Store(tmp_path_factory.mktemp("teams") / "store")
        told, groups, num_killed, num_before = [], [], 0, 0
        # With the process group of its workers around it, one of them tries a trial alone.
        events = RayBackend().run(plan, store, None, (first,))
        for event in events_in_time(events):
            told.append(event)
            num_starts = sum(isinstance(e, TrialStarted) and e.trial == lost.id for e in told)
            if isinstance(event, TrialStarted):
                groups.append(num_placement_groups())
            if not isinstance(event, EpochEnded):
                continue
            if event.record.trial == lost.id and num_killed < min(num_starts, len(victims)):
                pids = processes(home, victims[num_killed])
                num_killed += 1
                assert pids
                os.kill(pids[0], signal.SIGKILL)
                num_before = num_starts
            elif event.record.trial == last.id and (has_next or num_starts > num_before):
                break
        groups.append(num_placement_groups())
        num_stopped = len(processes(home, b"ray::RayTrainWorker"))
        # An interrupt in the driver closes the generator, as closing it here does.
        events.close()
        return Trained(told, failing, (first, early), lost, last, num_killed, groups, num_stopped, store)

    return run


@pytest.fixture(scope="module")
def lent(train):
    """Of the lost trial, one of the processes that train is killed, then the one that waits for them."""
    return train(b"ray::RayTrainWorker", b"ray::RayJob", has_next=True)


@pytest.fixture(scope="module")
def separate(train, take_down):
    """Teams that ask for a placement group of their own; the process that waits for the lost trial's is killed."""
    with take_down("ray"):
        return train(b"ray::RayJob", has_next=False)


@pytest.mark.ray
def test_of_the_groups_there_is_that_of_the_job_that_runs(lent):
    # That of the one before, whose trial failed or lost a process, is gone: the next one trains in what it held.
    assert lent.groups == [1] * 7


@pytest.mark.ray
def test_a_group_of_their_own_is_given_back_when_trials_fail_or_the_process_that_waits_for_them_is_killed(separate):
    # One in which Tune waits, and one of Ray Train, which has asked for it by the time that its workers begin.
    assert separate.groups[:4] == [2] * 4
    # What was on its way when the process died comes first; then Tune's, and that of the workers who go on.
    assert separate.num_killed == 1
    assert len(separate.starts_of(separate.lost)) == 2
    assert separate.groups[-1] == 2


@pytest.mark.ray
@pytest.mark.parametrize("run", ["lent", "separate"])
def test_a_failing_trial_fails_alone(run, request):
    run = request.getfixturevalue(run)
    failure = next(event for event in run.told if isinstance(event, TrialFailed))
    assert (failure.trial, failure.code) == (run.failing.id, "nan-loss")
    ended = [event.result.trial for event in run.told if isinstance(event, TrialFinished)]
    assert ended == [trial.id for trial in run.whole]
    early = run.store.result(ended[1])
    assert early.epochs_trained < early.epochs_planned == 50


@pytest.mark.ray
@pytest.mark.parametrize("run", ["lent", "separate"])
def test_a_trial_is_tried_by_one_worker_before_any_is_trained(run, request):
    run = request.getfixturevalue(run)
    tried, *later = run.told
    assert isinstance(tried, TrialTried)
    assert (tried.trial, tried.failure) == (run.whole[0].id, None)
    assert not any(isinstance(event, TrialTried) for event in later)


@pytest.fixture(scope="module")
def alone(make_trial, make_plan, tmp_path_factory):
    """The same trials, each by one worker."""
    store = Store(tmp_path_factory.mktemp("alone") / "store")
    list(InlineBackend().run(make_plan([make_trial(0), stopping_early(make_trial(3))]), store))
    return store


@pytest.mark.ray
@pytest.mark.parametrize("run", ["lent", "separate"])
def test_trials_of_two_workers_come_to_what_one_worker_does(run, alone, request):
    run = request.getfixturevalue(run)
    for trial in run.whole:
        together, single = run.store.history(trial.id), alone.history(trial.id)
        assert len(together) == len(single)
        for a, b in zip(together, single, strict=True):
            assert a.metrics == pytest.approx(b.metrics, abs=TOLERANCE)
        assert run.store.result(trial.id).best == pytest.approx(alone.result(trial.id).best, abs=TOLERANCE)


@pytest.mark.ray
def test_a_team_that_loses_a_process_is_begun_once_more_and_then_given_up(lent):
    assert lent.num_killed == 2
    first, again = lent.starts_of(lent.lost)
    assert first.epoch == 0
    assert again.epoch > 0
    _, failure = (event for event in lent.told if isinstance(event, TrialFailed))
    assert (failure.trial, failure.code) == (lent.lost.id, "worker-died")
    assert lent.store.history(lent.last.id)


@pytest.mark.ray
@pytest.mark.parametrize("run", ["lent", "separate"])
def test_a_run_that_is_stopped_leaves_no_process_of_a_team(run, request, home):
    run = request.getfixturevalue(run)
    assert run.num_stopped == 2
    home.assert_clean()
    assert not run.store.is_finished(run.last.id)


def test_the_inline_backend_refuses_several_workers(make_trial, two_workers, tmp_path):
    with pytest.raises(BackendError, match=r"resources.workers is 2, and the inline backend has one process") as caught:
        next(InlineBackend().run(two_workers([make_trial(0)]), Store(tmp_path)))
    assert caught.value.code == "workers-without-ray"


@pytest.mark.parametrize(
    ("machines", "request_", "message"),
    [
        ([{"CPU": 4.0}], {"workers": 2, "cpu": 3}, r"2 workers with 3 CPUs each, and 1 of them fit.*4 CPUs"),
        ([{"CPU": 1.0}] * 2, {"workers": 3}, r"3 workers with 1 CPUs each, and 2 of them fit.*2 times 1 CPUs"),
        ([{"CPU": 8.0, "GPU": 1.0}], {"workers": 2, "gpu": 1}, r"1 CPUs and 1 GPUs each, and 1 of them fit"),
        ([{"CPU": 1.0}], {"workers": 2, "cpu": 2}, "none of them fits"),
        ([{"CPU": 4.0}], {"workers": 2, "cpu": 2}, None),
        ([{"CPU": 2.0}] * 2, {"workers": 2, "cpu": 2}, None),
        ([{"CPU": 16.0, "GPU": 1.0}], {"gpu": 0.1}, None),
    ],
)
def test_a_team_fits_on_all_machines_together(machines, request_, message, monkeypatch):
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": machine} for machine in machines])
    with pytest.raises(PlacementError, match=message) if message else contextlib.nullcontext():
        check_placement([JobResources.model_validate(request_)])
