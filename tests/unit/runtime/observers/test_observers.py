"""Observers that may fail or be slow: one warning, and the run goes on."""

import threading
import time

import pytest

from craftc.runtime.observers.background_observer import InBackground
from craftc.runtime.observers.observer import Shielded
from craftc.schemas.plan import Headline, Plan
from craftc.schemas.result import TrialStarted

PLAN = Plan(name="x", baseline="a", headline=Headline(split="test", metric="accuracy", mode="max"), trials=())
EVENTS = [TrialStarted(trial=f"{number:064x}") for number in range(3)]


class Recorder:
    def __init__(self, fail_at=(), delay_s=0.0):
        self.fail_at, self.delay_s, self.told, self.threads = fail_at, delay_s, [], set()

    def start(self, plan, run_name):
        self._tell("start")

    def event(self, event):
        self._tell("event")

    def close(self):
        self._tell("close")

    def _tell(self, name):
        time.sleep(self.delay_s)
        self.threads.add(threading.get_ident())
        self.told.append(name)
        if name in self.fail_at:
            raise OSError(f"{name} broke\nand more")


def drive(observer):
    observer.start(PLAN, "run")
    for event in EVENTS:
        observer.event(event)
    observer.close()


@pytest.fixture(params=[Shielded, InBackground])
def wrap(request):
    return request.param


def test_everything_is_passed_on_in_order(wrap):
    recorder, warnings = Recorder(), []
    drive(wrap(recorder, name="W&B", warn=warnings.append))
    assert recorder.told == ["start", "event", "event", "event", "close"]
    assert warnings == []


@pytest.mark.parametrize(
    ("fail_at", "told"),
    [
        (["start"], ["start", "close"]),
        (["event"], ["start", "event", "close"]),
        (["close"], ["start", "event", "event", "event", "close"]),
        (["start", "close"], ["start", "close"]),
    ],
)
def test_a_failure_is_one_warning_after_which_it_is_only_closed(wrap, fail_at, told):
    recorder, warnings = Recorder(fail_at), []
    drive(wrap(recorder, name="W&B", warn=warnings.append))
    assert recorder.told == told
    assert warnings == [f"W&B failed and is told nothing more of this run: OSError: {fail_at[0]} broke"]


def test_ctrl_c_is_not_swallowed():
    class Interrupted(Recorder):
        def event(self, event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(Shielded(Interrupted(), name="display", warn=print))


def test_a_slow_observer_does_not_hold_up_the_run_and_catches_up_at_the_end():
    recorder, warnings = Recorder(delay_s=0.1), []
    observer = InBackground(recorder, name="W&B", warn=warnings.append)
    start = time.monotonic()
    observer.start(PLAN, "run")
    for event in EVENTS:
        observer.event(event)
    assert time.monotonic() - start < 0.1
    observer.close()
    assert recorder.told == ["start", "event", "event", "event", "close"]
    assert recorder.threads.isdisjoint({threading.get_ident()})
    assert warnings == []


def test_an_observer_that_does_not_catch_up_is_left_with_a_warning():
    warnings = []
    start = time.monotonic()
    drive(InBackground(Recorder(delay_s=0.3), name="W&B", warn=warnings.append, drain_timeout_s=0.05))
    assert time.monotonic() - start < 0.3
    assert len(warnings) == 1
    assert warnings[0].startswith("W&B did not catch up in 0.05 s: ")


def test_one_that_was_never_started_is_closed():
    recorder = Recorder()
    InBackground(recorder, name="W&B", warn=print).close()
    assert recorder.told == []
