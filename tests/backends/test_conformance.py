"""What every backend does, whatever it runs the jobs on."""

from contextlib import nullcontext
from itertools import islice

import pytest

from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochEnded, TrialFailed, TrialFinished, TrialStarted, TrialTried


@pytest.fixture(
    scope="module",
    params=[
        "inline",
        pytest.param("ray", marks=pytest.mark.ray),
        pytest.param("ray by public ways", marks=pytest.mark.ray),
    ],
)
def backend_name(request, take_down):
    """Each backend, and Ray once more with nothing that it or torch keeps private, in the driver and its workers."""
    name, _, is_public = request.param.partition(" ")
    with take_down("ray") if is_public else nullcontext():
        yield name


@pytest.fixture(scope="module")
def trials(make_trial):
    """Two in one job, one that fails between two others of its job, one that another run has finished."""
    return {
        "a": make_trial(0),
        "b": make_trial(1),
        "nan": make_trial(2, lr=1e30),
        "after": make_trial(3),
        "known": make_trial(4),
    }


@pytest.fixture(scope="module")
def plan(trials, make_plan):
    return make_plan([trials["a"], trials["b"]], [trials["nan"], trials["after"]], [trials["known"]])


@pytest.fixture(scope="module")
def inline_store(tmp_path_factory, trials, make_plan):
    """The same trials, trained in this process."""
    store = Store(tmp_path_factory.mktemp("inline") / "store")
    list(InlineBackend().run(make_plan(list(trials.values())), store))
    return store


@pytest.fixture(scope="module")
def run(backend, plan, trials, make_plan, tmp_path_factory):
    """Every event of one run, each with what the store said of its trial when it came."""
    store = Store(tmp_path_factory.mktemp("run") / "store")
    list(InlineBackend().run(make_plan([trials["known"]]), store))
    told = []
    for event in backend.run(plan, store, None, (trials["a"],)):
        trial = trial_of(event)
        told.append((event, store.is_finished(trial), len(store.history(trial))))
    return store, told


def trial_of(event):
    match event:
        case TrialStarted(trial=trial) | TrialFailed(trial=trial) | TrialTried(trial=trial):
            return trial
        case EpochEnded(record=record):
            return record.trial
        case TrialFinished(result=result):
            return result.trial


def events_of(run, trial):
    """What happened to it once it was tried."""
    return [e for e, *_ in run[1] if trial_of(e) == trial.id and not isinstance(e, TrialTried)]


def test_a_trial_that_is_to_be_tried_is_tried_before_anything_is_trained(run, trials):
    (first, *_), *others = run[1]
    assert (first.type, first.trial, first.failure) == ("tried", trials["a"].id, None)
    assert not any(isinstance(event, TrialTried) for event, *_ in others)


@pytest.mark.parametrize("name", ["a", "b", "after"])
def test_a_trial_starts_tells_each_epoch_and_finishes(run, trials, name):
    events = events_of(run, trials[name])
    assert [event.type for event in events] == ["started", "epoch", "epoch", "epoch", "finished"]
    assert [event.record.epoch for event in events[1:4]] == [1, 2, 3]
    assert not events[-1].reused


def test_what_is_told_is_in_the_store(run):
    store, told = run
    for event, was_finished, num_epochs in told:
        if isinstance(event, EpochEnded):
            assert num_epochs >= event.record.epoch
            assert event.record in store.history(event.record.trial)
        if isinstance(event, TrialFinished):
            assert was_finished
            assert event.result == store.result(event.result.trial)


def test_a_failing_trial_fails_alone(run, trials):
    assert [event.type for event in events_of(run, trials["nan"])] == ["started", "failed"]
    failure = events_of(run, trials["nan"])[-1]
    assert (failure.code, failure.epoch) == ("nan-loss", 1)
    assert not run[0].is_finished(trials["nan"].id)


def test_a_finished_trial_is_not_trained_again(run, trials):
    (event,) = events_of(run, trials["known"])
    assert isinstance(event, TrialFinished)
    assert event.reused


def test_trials_of_a_job_run_one_after_another_in_order(run, trials):
    events = [event for event, *_ in run[1] if not isinstance(event, TrialTried)]
    in_job = [trial_of(event) for event in events if trial_of(event) in {trials["a"].id, trials["b"].id}]
    assert in_job == [trials["a"].id] * 5 + [trials["b"].id] * 5


def test_the_numbers_do_not_depend_on_the_backend(run, trials, inline_store):
    for name in ("a", "b", "after", "known"):
        here, inline = (store.result(trials[name].id) for store in (run[0], inline_store))
        assert here.model_copy(update={"seconds": 0.0}) == inline.model_copy(update={"seconds": 0.0})


def test_nothing_is_left_behind(run, home):
    home.assert_clean()


def test_a_plan_without_jobs_is_over_at_once(backend, make_plan, tmp_path):
    assert list(backend.run(make_plan(), Store(tmp_path))) == []


@pytest.mark.parametrize("backend_name", ["inline", pytest.param("ray", marks=pytest.mark.ray)], indirect=True)
def test_closing_stops_and_leaves_the_trial_resumable(backend, make_trial, make_plan, tmp_path, home):
    trial = make_trial(0, endless=True)
    plan = make_plan([trial])
    store, straight = Store(tmp_path / "store"), Store(tmp_path / "straight")
    events = backend.run(plan, store)
    num_told = next(event.record.epoch for event in events if isinstance(event, EpochEnded))
    events.close()
    home.assert_clean()
    num_before = len(store.history(trial.id))
    with store.lock(trial.id, timeout_s=0):
        assert not store.is_finished(trial.id)

    resumed = train_epochs(plan, store, 2)
    # Epochs whose numbers were written, but whose checkpoint was not yet, are trained again; nobody was told of them.
    assert isinstance(resumed[0], TrialStarted)
    assert num_told <= resumed[0].epoch <= num_before
    num_epochs = resumed[0].epoch + 2
    train_epochs(plan, straight, num_epochs)
    metrics = [[record.metrics for record in each.history(trial.id)] for each in (store, straight)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == num_epochs


def train_epochs(plan, store, num_epochs):
    events = InlineBackend().run(plan, store)
    try:
        return list(islice(events, 1 + num_epochs))
    finally:
        events.close()


@pytest.mark.parametrize("backend_name", ["inline", pytest.param("ray", marks=pytest.mark.ray)], indirect=True)
def test_nothing_is_trained_where_a_trial_that_is_tried_first_cannot_be(backend, make_trial, make_plan, tmp_path):
    """Three jobs for fewer processes, the last of which has the mistake. By whatever ways the processes are started,
    what they are given first is the same."""
    good, other, bad = make_trial(0), make_trial(1, lr=0.02), make_trial(2)
    optimizer = {"kind": "sgd", "lr": 0.1, "momentum": -1.0}
    bad = bad.model_copy(
        update={"config": {**bad.config, "training": {**bad.config["training"], "optimizer": optimizer}}}
    )
    store = Store(tmp_path / "store")
    told = list(backend.run(make_plan([good], [other], [bad]), store, None, (good, bad)))
    assert {event.type for event in told} == {"tried"}
    assert sorted(event.trial for event in told) == sorted([good.id, bad.id])
    [failure] = [event.failure for event in told if event.failure is not None]
    assert (failure.trial, failure.code) == (bad.id, "optimizer-not-buildable")
    assert "Invalid momentum value: -1.0" in failure.message
    assert not list((tmp_path / "store").glob("*/metrics.jsonl"))
