"""The driver's loop: journal first, then observers; everything closed whatever happens."""

import pytest

from craftc.runtime.execute import execute
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Headline, Plan, Trial
from craftc.schemas.result import EpochEnded, EpochRecord, Result, TrialFailed, TrialFinished, TrialStarted, TrialTried

A, B = f"{1:064x}", f"{2:064x}"
PLAN = Plan(name="x", baseline="a", headline=Headline(split="test", metric="accuracy", mode="max"), trials=())
RESULT = Result(
    trial=A, best_epoch=1, epochs_trained=1, epochs_planned=1, steps=4, best={}, last={}, trivial={}, identities={},
    num_parameters=3, split_sizes={"train": 8}, seconds=0.5, device="cpu", craftc_version="0",
)  # fmt: skip
EVENTS = (
    TrialStarted(trial=A),
    EpochEnded(record=EpochRecord(trial=A, epoch=1, step=4, metrics={"valid/loss": 1.0}, seconds=0.1)),
    TrialFinished(result=RESULT),
    TrialFailed(trial=B, code="nan-loss", message="the loss is not a number", epoch=1),
)


class Replay:
    """A backend that tells what it is given, then may raise."""

    def __init__(self, events, error=None):
        self.events, self.error, self.closed = events, error, False

    def run(self, plan, store, search=None, to_try=()):
        try:
            yield from self.events
            if self.error:
                raise self.error
        finally:
            self.closed = True


class Recorder:
    """Keeps what it is told, and how many lines the journal had then."""

    def __init__(self, folder, fail_at=None):
        self.folder, self.fail_at, self.told = folder, fail_at, []

    def start(self, plan, run_name):
        self.told.append(("start", run_name))
        self._fail("start")

    def event(self, event):
        path = self.folder.path / "results.jsonl"
        self.told.append((event.type, len(path.read_bytes().splitlines())))
        self._fail(event.type)

    def close(self):
        self.told.append(("close", None))

    def _fail(self, name):
        if self.fail_at == name:
            raise ConnectionError(name)


def run(tmp_path, backend, *observers):
    return execute(
        PLAN, store=Store(tmp_path / "store"), backend=backend, observers=observers, run_folder=RunFolder(tmp_path)
    )


def test_ends_are_journalled_before_they_are_told(tmp_path):
    recorder = Recorder(RunFolder(tmp_path))
    outcome = run(tmp_path, Replay(EVENTS), recorder)
    assert recorder.told == [
        ("start", tmp_path.name), ("started", 0), ("epoch", 0), ("finished", 1), ("failed", 2), ("close", None),
    ]  # fmt: skip
    assert outcome.finished == (RESULT,)
    assert outcome.failed == (EVENTS[3],)
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [line for line in lines] == [EVENTS[2].model_dump_json(), EVENTS[3].model_dump_json()]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("gone")])
def test_what_ends_the_backend_closes_everything_and_is_raised(tmp_path, error):
    recorder = Recorder(RunFolder(tmp_path))
    with pytest.raises(type(error)):
        run(tmp_path, Replay(EVENTS[:2], error), recorder)
    assert recorder.told[-1] == ("close", None)


@pytest.mark.parametrize("fail_at", ["start", "epoch"])
def test_an_observer_that_raises_stops_the_backend_and_all_are_closed(tmp_path, fail_at):
    folder = RunFolder(tmp_path)
    observers = [Recorder(folder), Recorder(folder, fail_at=fail_at)]
    backend = Replay(EVENTS)
    with pytest.raises(ConnectionError):
        run(tmp_path, backend, *observers)
    assert [observer.told[-1] for observer in observers] == [("close", None)] * 2
    assert backend.closed or fail_at == "start"


def test_a_trial_that_cannot_be_trained_ends_the_run_when_all_have_been_tried(tmp_path):
    trials = tuple(Trial(id=name, variant=variant, seed=0, config={}) for name, variant in ((A, "a"), (B, "b")))
    failure = TrialFailed(trial=A, code="model-forward", message="no", traceback="where it was\n")
    tried = (
        TrialTried(trial=A, failure=failure, seconds=0.1),
        TrialTried(trial=B, seconds=0.1),
        TrialFinished(result=RESULT),
    )
    backend = Replay(tried)
    run_folder = RunFolder(tmp_path)
    recorder = Recorder(run_folder)
    plan = PLAN.model_copy(update={"trials": trials})
    outcome = execute(
        plan, store=Store(tmp_path), backend=backend, observers=[recorder], run_folder=run_folder, to_try=trials
    )
    assert outcome.refused == (failure,)
    assert outcome.finished == ()
    assert [told for told, _ in recorder.told] == ["start", "close"]
    assert backend.closed
    log = run_folder.log.read_text()
    assert "variant a cannot be trained: [model-forward] no\nwhere it was" in log
    assert "variant b was tried, two steps and an evaluation, in 0.10 s" in log
