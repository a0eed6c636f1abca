"""Programs on every backend: the same numbers, and nothing left behind, whatever is killed."""

import hashlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, Event, TrialFinished, TrialStarted

OWN_CODE = Path(__file__).parents[1] / "unit" / "runtime" / "programs" / "own_code"
TIMEOUT_S = 300.0


def program(name, seed=3, **arguments):
    config = {
        "program": {"kind": f"lab_programs:{name}", **arguments},
        "training": {"early_stopping": "none"},
        "evaluation": {"select": {"metric": "train/loss", "mode": "min"}},
    }
    trial_id = hashlib.sha256(f"{seed} {config}".encode()).hexdigest()
    return Trial(id=trial_id, variant=name, seed=seed, config=config)


@pytest.fixture(scope="module", autouse=True)
def _own_import_path():
    """Inline, the folders of a plan stay on the import path of this process."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(scope="module")
def plan_of(make_plan):
    def make(*trials):
        return make_plan(*([trial] for trial in trials)).model_copy(update={"import_folders": (str(OWN_CODE),)})

    return make


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid):
    return not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


@dataclass(frozen=True)
class Ran:
    """One run, a job at a time: two trials that count, with Ray one whose worker is killed, and one that is under way
    when the run is closed."""

    told: list[Event]
    store: Store
    counting: tuple[Trial, ...]
    lost: Trial
    last: Trial
    pid: int
    """Of the last trial's program."""


@pytest.fixture(scope="module")
def run(backend, backend_name, plan_of, tmp_path_factory, home):
    counting = tuple(program("counts", seed=seed) for seed in (1, 2))
    lost, last = program("takes_long", shows_pid=True, epochs=12), program("takes_long", shows_pid=True)
    store, told, killed = Store(tmp_path_factory.mktemp("run") / "store"), [], []

    def pid_of(trial):
        return int((store.folder(trial.id) / "files" / "pid").read_text())

    plan = plan_of(*counting, *([lost] if backend_name == "ray" else []), last)
    events = backend.run(plan.model_copy(update={"max_concurrent": 1}), store)
    for event in events:
        told.append(event)
        if not isinstance(event, EpochEnded):
            continue
        if event.record.trial == lost.id and not killed:
            killed.append(pid_of(lost))
            stat = Path(f"/proc/{killed[0]}/stat").read_text()
            os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
            wait_until(lambda: is_gone(killed[0]))
        elif event.record.trial == last.id and event.record.epoch == 2:
            break
    pid = pid_of(last)
    events.close()
    return Ran(told, store, counting, lost, last, pid)


def test_the_numbers_are_those_of_the_inline_backend(run, plan_of, tmp_path):
    inline = Store(tmp_path / "inline")
    list(InlineBackend().run(plan_of(*run.counting), inline))
    ended = {event.result.trial for event in run.told if isinstance(event, TrialFinished)}
    for trial in run.counting:
        assert trial.id in ended
        kept, expected = ([record.metrics for record in each.history(trial.id)] for each in (run.store, inline))
        assert kept == expected
        assert run.store.result(trial.id).best == inline.result(trial.id).best


def test_closing_stops_it_at_its_next_report(run, plan_of, home):
    wait_until(lambda: is_gone(run.pid))
    # Its process ends by itself once it is no longer listened to, and what it holds with it.
    home.assert_clean(within_s=TIMEOUT_S)
    with run.store.lock(run.last.id, timeout_s=0):
        num_kept = len(run.store.history(run.last.id))
    assert num_kept >= 2
    again = InlineBackend().run(plan_of(run.last), run.store)
    assert next(again) == TrialStarted(trial=run.last.id, epoch=num_kept)
    again.close()


@pytest.mark.ray
@pytest.mark.parametrize("backend_name", ["ray"], indirect=True)
def test_a_worker_that_dies_takes_the_program_along_and_another_goes_on(run):
    first, second = (e.epoch for e in run.told if isinstance(e, TrialStarted) and e.trial == run.lost.id)
    assert first == 0
    assert second >= 1
    assert [record.epoch for record in run.store.history(run.lost.id)] == list(range(1, 13))
    assert run.store.result(run.lost.id).epochs_trained == 12
