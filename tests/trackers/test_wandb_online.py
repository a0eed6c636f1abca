"""What the real W&B client sends for a run, as a server on loopback gets it, against our own record."""

import time
from typing import Any

import pytest

from craftc.components.build import build
from craftc.runtime.observers.background_observer import InBackground
from craftc.runtime.observers.wandb_record import read_record
from craftc.runtime.observers.wandb_sync import SyncError, sync_run
from craftc.schemas.result import TrialFailed, TrialFinished


class Driver:
    """Tells a tracker of a run as `execute` does: the journal first."""

    def __init__(self, told: Any) -> None:
        self.told = told
        self.warnings: list[str] = []
        (asked,) = told.spec.report.trackers
        tracker = build("trackers", {"kind": asked.kind, **asked.args}, told.tracked(self.warnings.append))
        self.observer = InBackground(tracker, name="W&B", warn=self.warnings.append)

    def run(self, *batches: list[Any]) -> None:
        self.observer.start(self.told.plan, self.told.folder.run_name)
        try:
            with self.told.folder.journal() as journal:
                for events in batches:
                    for event in events:
                        if isinstance(event, TrialFinished | TrialFailed):
                            journal.write(event)
                        self.observer.event(event)
        finally:
            self.observer.close()


def new_trials(told: Any) -> list[str]:
    return [trial.id for trial in told.plan.trials if trial.status == "new"]


def assert_arrived(server: Any, told: Any, trials: list[str], sweep: str | None) -> None:
    """The server has just these trials, each as the store has it."""
    named = {f"{trial.variant}/seed{trial.seed}": trial for trial in told.plan.trials if trial.id in trials}
    arrived = server.by_name
    assert arrived.keys() == named.keys()
    for name, trial in named.items():
        run = arrived[name]
        assert run.rows == told.rows(trial.id)
        assert (run.group, run.job_type, run.sweep) == (told.folder.run_name, trial.variant, sweep)
        assert run.config["trial"] == trial.id
        result = told.store.result(trial.id)
        best = {f"best.{key}": value for key, value in result.best.items()}
        last = {f"last.{key}": value for key, value in result.last.items()}
        headline = {"test/accuracy": result.best["test/accuracy"]}
        expected = {"best_epoch": 2, "epochs_trained": 3, "num_parameters": 100, **best, **last, **headline}
        assert expected.items() <= run.summary.items()
        assert run.state == "finished"


def test_every_trial_arrives_in_the_sweep_row_by_row(server, make_run):
    told = make_run()
    driver = Driver(told)
    driver.run(*(told.train(trial) for trial in new_trials(told)))
    assert driver.warnings == []
    assert list(server.sweeps) == ["sweep0"]
    assert_arrived(server, told, new_trials(told), "sweep0")

    config = server.sweeps["sweep0"].config
    assert config["parameters"] == {
        "feature.dropout": {"values": [True, False]},
        "regularization.dropout": {"values": [0.1, 0.0]},
        "training.optimizer.lr": {"values": [0.01, 0.001]},
        "seed": {"values": [0, 1]},
    }
    assert config["metric"] == {"name": "valid/accuracy", "goal": "maximize"}
    assert config["method"] == "custom"
    for run in server.runs.values():
        for name, parameter in config["parameters"].items():
            assert run.config[name] in parameter["values"]
    assert server.by_name["-dropout/seed1"].config["feature.dropout"] is False
    assert server.by_name["-dropout/seed1"].config["regularization.dropout"] == 0.0

    record = read_record(told.folder.path)
    assert record is not None
    assert record.num_waiting == 0
    num_requests = server.num_requests
    synced = sync_run(told.folder, told.store, warn=driver.warnings.append)
    assert (synced.num_uploaded, synced.made_sweep, server.num_requests) == (0, False, num_requests)


def test_records_that_are_no_epochs_arrive_with_their_steps(server, make_run, by_steps):
    told = make_run(by_steps)
    driver = Driver(told)
    driver.run(told.train(new_trials(told)[0]))
    (run,) = [run for run in server.runs.values() if run.rows]
    assert [(row["step"], row["train/step"]) for row in run.rows] == [(1, 17), (2, 34), (3, 51)]


def test_without_a_sweep_there_is_none(server, make_run):
    told = make_run(SPEC_WITHOUT_SWEEP)
    trial = new_trials(told)[0]
    driver = Driver(told)
    driver.run(told.train(trial))
    assert driver.warnings == []
    assert server.sweeps == {}
    assert_arrived(server, told, [trial], None)


SPEC_WITHOUT_SWEEP = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 3, batch_size: 64, optimizer: adamw}
report: {trackers: [{kind: wandb, project: digits, mode: online}]}
"""


def test_reused_trials_stand_in_the_new_sweep(server, make_run):
    first = make_run()
    for trial in new_trials(first)[:2]:
        first.train(trial)
    told = make_run()
    assert [trial.status for trial in told.plan.trials].count("reused") == 2
    driver = Driver(told)
    driver.run(*(told.train(trial) for trial in new_trials(told)))
    assert driver.warnings == []
    assert_arrived(server, told, [trial.id for trial in told.plan.trials], "sweep0")
    assert sorted(run.display_name for run in server.runs.values() if run.tags == ["reused"]) == [
        "full/seed0",
        "full/seed1",
    ]


def test_a_failed_trial_arrives_as_failed(server, make_run):
    told = make_run()
    trial = new_trials(told)[0]
    started, *epochs, _ = told.train(trial)
    driver = Driver(told)
    failure = TrialFailed(trial=trial, code="nan-loss", message="the loss is not finite in epoch 4", epoch=4)
    driver.run([started, *epochs, failure])
    run = server.by_name["full/seed0"]
    assert run.state == "failed"
    assert run.summary["error.code"] == "nan-loss"
    assert run.rows == told.rows(trial)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_turns_the_run_offline(server, make_run, status):
    told = make_run()
    server.refuse = status
    driver = Driver(told)
    driver.run(*(told.train(trial) for trial in new_trials(told)))
    assert len(driver.warnings) == 1
    assert "goes on offline" in driver.warnings[0]
    assert (server.runs, server.sweeps) == ({}, {})

    # Refused once more: nothing is taken, nothing is lost.
    with pytest.raises(SyncError, match="did not take 6 of 6 runs"):
        sync_run(told.folder, told.store, warn=driver.warnings.append)

    server.refuse = None
    synced = sync_run(told.folder, told.store, warn=driver.warnings.append)
    assert (synced.num_uploaded, synced.sweep_id, synced.made_sweep) == (6, "sweep0", True)
    assert_arrived(server, told, new_trials(told), "sweep0")
    assert len(driver.warnings) == 1


@pytest.mark.usefixtures("soon")
def test_a_server_that_hangs_turns_the_run_offline(server, make_run):
    told = make_run(SPEC_WITHOUT_SWEEP)
    server.hangs = True
    driver = Driver(told)
    driver.run(*(told.train(trial) for trial in new_trials(told)))
    assert len(driver.warnings) == 1
    assert "goes on offline" in driver.warnings[0]
    server.release()
    assert sync_run(told.folder, told.store, warn=driver.warnings.append).num_uploaded == 1
    assert_arrived(server, told, new_trials(told), None)


@pytest.mark.usefixtures("soon")
def test_a_server_that_dies_in_the_middle_gets_the_rest_later(server, make_run):
    told = make_run()
    first, second, third, *others = [told.train(trial) for trial in new_trials(told)]
    driver = Driver(told)

    def stop_then(events: list[Any]) -> Any:
        """Once the client has sent what it was told before, the server is gone."""
        wait_until(lambda: len(server.runs) == 3 and server.by_name["full/seed0"].state == "finished")
        server.stop()
        yield from events

    driver.run(first, second[:3], third[:2], stop_then([*second[3:], *third[2:]]), *others)
    assert len(driver.warnings) == 1, driver.warnings
    assert "goes on offline" in driver.warnings[0]
    record = read_record(told.folder.path)
    assert record is not None
    assert len(record.runs) == 6
    assert all(run.ended for run in record.runs.values())

    server.start()
    synced = sync_run(told.folder, told.store, warn=driver.warnings.append)
    assert synced.made_sweep is False
    assert list(server.sweeps) == ["sweep0"]
    assert_arrived(server, told, new_trials(told), "sweep0")


@pytest.mark.usefixtures("soon")
def test_rows_refused_without_a_word_are_noticed_and_uploaded_later(server, make_run):
    told = make_run()
    server.refuse_rows_after = 1
    driver = Driver(told)
    driver.run(told.train(new_trials(told)[0]))
    assert len(driver.warnings) == 1
    assert "1 of its runs did not arrive whole" in driver.warnings[0]
    server.refuse_rows_after = None
    assert sync_run(told.folder, told.store, warn=driver.warnings.append).num_uploaded == 1
    assert_arrived(server, told, new_trials(told)[:1], "sweep0")


def wait_until(holds: Any, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
