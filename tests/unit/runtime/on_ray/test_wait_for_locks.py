"""What a stopped run waits for."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from craftc.runtime.on_ray import wait_for_locks as module
from craftc.runtime.on_ray.wait_for_locks import wait_for_locks
from craftc.runtime.store.store import Store

BEGUN, OTHER = "b" * 64, "c" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def hold(store: Store) -> Iterator[Callable[[str, float], None]]:
    """Hold a trial for so many seconds."""
    threads: list[threading.Thread] = []

    def begin(trial: str, seconds: float) -> None:
        held = threading.Event()

        def keep() -> None:
            with store.lock(trial):
                held.set()
                time.sleep(seconds)

        threads.append(threading.Thread(target=keep))
        threads[-1].start()
        assert held.wait(600)

    yield begin
    for thread in threads:
        thread.join()


def test_it_waits_for_the_locks(
    store: Store, hold: Callable[[str, float], None], caplog: pytest.LogCaptureFixture
) -> None:
    hold(BEGUN, 0.5)
    hold(OTHER, 0.7)
    wait_for_locks(store, {BEGUN: True, OTHER: False})
    for trial in (BEGUN, OTHER):
        with store.lock(trial, timeout_s=0):
            pass
    assert not caplog.records


def test_what_is_held_too_long_is_named_where_this_run_began_it(
    store: Store,
    hold: Callable[[str, float], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BEGUN_TIMEOUT_S", 0.2)
    monkeypatch.setattr(module, "OTHER_TIMEOUT_S", 0.1)
    hold(BEGUN, 1.0)
    hold(OTHER, 1.0)
    with caplog.at_level(logging.WARNING):
        wait_for_locks(store, {OTHER: False, BEGUN: True})
    assert [record.getMessage() for record in caplog.records] == [
        "trial bbbbbbbbbbbb is still held 0.2 s after its run was stopped"
    ]


def test_a_trial_that_was_never_locked_leaves_no_trace(store: Store) -> None:
    wait_for_locks(store, {BEGUN: True})
    assert not store.root.exists()
