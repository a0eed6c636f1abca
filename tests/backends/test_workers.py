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
from craftc.schemas.result import EpochEnded, Event, TrialFailed, TrialFinished, TrialStarted

# What float32 sums in another order may change over a few epochs; measured: at most 2e-7.
TOLERANCE = 5e-6

TIMEOUT_S = 600.0
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


@pytest.mark.ray
def test_trials_of_two_workers_come_to_what_one_worker_does_and_a_failing_one_holds_up_none(
    make_trial, make_plan, two_workers, tmp_path, home
):
    # The one of the job that runs: that of the one before, whose trial failed, is gone.
    assert_trains_and_fails(make_trial, make_plan, two_workers, tmp_path, num_groups=1)
    home.assert_clean()


@pytest.mark.ray
def test_teams_that_ask_for_a_placement_group_of_their_own(
    make_trial, make_plan, two_workers, tmp_path, home, take_down
):
    with take_down("ray"):
        # One in which Tune waits, and one of Ray Train, which has asked for it by the time that its workers begin.
        assert_trains_and_fails(make_trial, make_plan, two_workers, tmp_path, num_groups=2)
    home.assert_clean()


@pytest.mark.ray
def test_a_group_of_their_own_is_given_back_when_the_process_that_waits_for_them_is_killed(
    make_trial, two_workers, tmp_path, home, take_down
):
    trial = make_trial(4, endless=True)
    num_started = 0
    with take_down("ray"):
        events = RayBackend().run(two_workers([trial]), Store(tmp_path))
        for event in events_in_time(events):
            num_started += isinstance(event, TrialStarted)
            if isinstance(event, EpochEnded):
                if num_started == 2:
                    # Tune's, and that of the workers who go on; what the killed ones held is free.
                    assert num_placement_groups() == 2
                    break
                [pid] = processes(home, b"ray::RayJob")
                os.kill(pid, signal.SIGKILL)
                # What was on its way when it died.
                while not isinstance(event, TrialStarted):
                    event = next(events)
                num_started += 1
        events.close()
    assert num_started == 2
    home.assert_clean()


def assert_trains_and_fails(make_trial, make_plan, two_workers, tmp_path, *, num_groups):
    first, failing, early = make_trial(0), make_trial(2, lr=1e38), stopping_early(make_trial(3))
    several, alone = Store(tmp_path / "teams"), Store(tmp_path / "alone")
    # Both jobs wait at once for the two CPUs: were groups made bit by bit, they would starve each other.
    told, groups = [], []
    for event in events_in_time(RayBackend().run(two_workers([failing], [first, early]), several)):
        told.append(event)
        if isinstance(event, TrialStarted):
            groups.append(num_placement_groups())
    assert groups == [num_groups] * 3

    (failure,) = (event for event in told if isinstance(event, TrialFailed))
    assert (failure.trial, failure.code) == (failing.id, "nan-loss")
    assert {event.result.trial for event in told if isinstance(event, TrialFinished)} == {first.id, early.id}
    stopped = several.result(early.id)
    assert stopped.epochs_trained < stopped.epochs_planned == 50

    list(InlineBackend().run(make_plan([first, early]), alone))
    for trial in (first, early):
        together, single = several.history(trial.id), alone.history(trial.id)
        assert len(together) == len(single)
        for a, b in zip(together, single, strict=True):
            assert a.metrics == pytest.approx(b.metrics, abs=TOLERANCE)
        assert several.result(trial.id).best == pytest.approx(alone.result(trial.id).best, abs=TOLERANCE)


@dataclass(frozen=True)
class Bereaved:
    """A run whose first trial lost a process twice, and which was stopped while its second trained."""

    told: list[Event]
    lost: Trial
    last: Trial
    num_killed: int
    num_groups: int
    num_stopped: int
    store: Store


@pytest.fixture(scope="module")
def bereaved(make_trial, two_workers, tmp_path_factory, home):
    # One of the processes that train, then the one that waits for them.
    victims = [b"ray::RayTrainWorker", b"ray::RayJob"]
    lost, last = make_trial(1, endless=True), make_trial(2, endless=True)
    store = Store(tmp_path_factory.mktemp("bereaved") / "store")
    told, num_killed, num_groups = [], 0, 0
    events = RayBackend().run(two_workers([lost], [last]), store)
    for event in events_in_time(events):
        told.append(event)
        starts = [e for e in told if isinstance(e, TrialStarted) and e.trial == lost.id]
        if isinstance(event, TrialStarted) and event.trial == last.id:
            num_groups = num_placement_groups()
        if isinstance(event, EpochEnded) and event.record.trial == last.id:
            break
        if isinstance(event, EpochEnded) and event.record.trial == lost.id and num_killed < len(starts):
            pids = processes(home, victims[num_killed])
            num_killed += 1
            assert pids
            os.kill(pids[0], signal.SIGKILL)
    num_stopped = len(processes(home, b"ray::RayTrainWorker"))
    # An interrupt in the driver closes the generator, as closing it here does.
    events.close()
    return Bereaved(told, lost, last, num_killed, num_groups, num_stopped, store)


@pytest.mark.ray
def test_a_team_that_loses_a_process_is_begun_once_more_and_then_given_up(bereaved):
    assert bereaved.num_killed == 2
    first, again = (e for e in bereaved.told if isinstance(e, TrialStarted) and e.trial == bereaved.lost.id)
    assert first.epoch == 0
    assert again.epoch > 0
    (failure,) = (event for event in bereaved.told if isinstance(event, TrialFailed))
    assert (failure.trial, failure.code) == (bereaved.lost.id, "worker-died")
    # The next one trains, in the resources that the lost one held.
    assert bereaved.num_groups == 1
    assert bereaved.store.history(bereaved.last.id)


@pytest.mark.ray
def test_a_run_that_is_stopped_leaves_no_process_of_a_team(bereaved, home):
    assert bereaved.num_stopped == 2
    home.assert_clean()
    assert not bereaved.store.is_finished(bereaved.last.id)


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
