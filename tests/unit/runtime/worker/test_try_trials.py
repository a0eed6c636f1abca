"""The processes of a run share out what is to be tried, and none trains before all is."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from craftc.runtime.store.store import Store
from craftc.runtime.worker import try_trials as module
from craftc.runtime.worker.try_trials import being_tried, with_trials_tried
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialStarted, TrialTried
from craftc.training.foundation.errors import TrainingError

TRIALS = tuple(Trial(id=f"{i:064x}", variant=f"v{i}", seed=0, config={}) for i in range(4))
TRAINED = TrialStarted(trial="a")


def run(scratch: Path | None, store: Store, trials: tuple[Trial, ...] = TRIALS) -> Iterator[Event]:
    return with_trials_tried(trials, iter([TRAINED]), store=store, device="cpu", cpus=1, scratch=scratch)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variants that were tried, whichever process did; v2 cannot be trained where `v2!` is among them."""
    done: list[str] = []

    def attempt(trial: Trial, **_: object) -> None:
        if trial.variant == "v2" and "v2!" in done:
            raise TrainingError("model-forward", "it does not take a batch")
        done.append(trial.variant)

    monkeypatch.setattr("craftc.training.loop.attempt.attempt", attempt)
    return done


def test_alone_a_process_tries_all_and_then_trains(tmp_path: Path, tried: list[str]) -> None:
    events = list(run(None, Store(tmp_path)))
    assert [event.trial for event in events if isinstance(event, TrialTried)] == [trial.id for trial in TRIALS]
    assert events[-1] == TRAINED
    assert tried == ["v0", "v1", "v2", "v3"]


def test_a_failure_keeps_it_from_training(tmp_path: Path, tried: list[str]) -> None:
    tried.append("v2!")
    events = list(run(None, Store(tmp_path)))
    assert TRAINED not in events
    [failure] = [event.failure for event in events if isinstance(event, TrialTried) and event.failure]
    assert (failure.trial, failure.code) == (TRIALS[2].id, "model-forward")
    assert failure.message.startswith("it does not take a batch (")
    assert "TrainingError: it does not take a batch" in failure.traceback


def test_each_is_tried_once_and_none_trains_before_all_are(tmp_path: Path, tried: list[str]) -> None:
    first, second = (run(tmp_path / "scratch", Store(tmp_path)) for _ in range(2))
    assert isinstance(next(first), TrialTried)
    told = [next(second) for _ in range(4)]
    assert sum(isinstance(event, TrialTried) for event in told) == 3
    assert told[-1] == TRAINED
    assert list(first) == [TRAINED]
    assert sorted(tried) == ["v0", "v1", "v2", "v3"]


def test_a_process_waits_for_what_another_tries(
    tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = module._tried

    def slow(trial: Trial, *rest: object) -> TrialTried:
        begun.set()
        assert go_on.wait(600)
        return real(trial, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_tried", slow)
    events: list[Event] = []
    other = threading.Thread(target=lambda: events.extend(run(tmp_path / "scratch", Store(tmp_path), TRIALS[:1])))
    other.start()
    assert begun.wait(600)
    assert being_tried(TRIALS, tmp_path / "scratch") == [TRIALS[0]]
    waiting: list[Event] = []
    mine = threading.Thread(target=lambda: waiting.extend(run(tmp_path / "scratch", Store(tmp_path), TRIALS[:1])))
    mine.start()
    mine.join(0.3)
    assert waiting == []
    go_on.set()
    other.join(20)
    mine.join(20)
    assert waiting == [TRAINED]
    assert being_tried(TRIALS, tmp_path / "scratch") == []


def test_what_failed_elsewhere_keeps_a_process_from_training(tmp_path: Path, tried: list[str]) -> None:
    tried.append("v2!")
    list(run(tmp_path / "scratch", Store(tmp_path)))
    assert list(run(tmp_path / "scratch", Store(tmp_path))) == []


def test_what_takes_too_long_is_left_out_and_told_of(
    tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_S", -1.0)
    events = list(run(None, Store(tmp_path)))
    assert events == [*(TrialTried(trial=trial.id) for trial in TRIALS), TRAINED]
    assert tried == []
