"""`craftc run` offline, then `craftc sync`, as their user meets them, and what sync makes whole again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from craftc.runtime.observers.wandb_record import RecordFile, read_record
from craftc.runtime.observers.wandb_sync import sync_run
from craftc.runtime.observers.wandb_tracker import WandbTracker
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.result import TrialFinished


def craftc(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    kept |= {"HOME": str(folder), "COLUMNS": "120", "OMP_NUM_THREADS": "1", "WANDB_ERROR_REPORTING": "false"}
    return subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=600, check=False
    )


SPEC = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2, grid: {training.optimizer.lr: [1e-2, 1e-3]}}
report: {trackers: [{kind: wandb, project: digits, sweep: true}, tensorboard]}
"""


def test_offline_and_then_synced(tmp_path, server):
    key = {"WANDB_API_KEY": os.environ["WANDB_API_KEY"], "WANDB_BASE_URL": server.url}
    (tmp_path / "tiny.yaml").write_text(SPEC)
    first = craftc(tmp_path, "run", "tiny.yaml", "--backend", "inline")
    assert first.returncode == 0, first.stderr
    (path,) = (tmp_path / "runs" / "tiny").iterdir()
    hint = f"W&B: 4 runs kept offline; `craftc sync tiny/{path.name}` uploads what is kept, and makes their sweep"
    assert hint in first.stderr
    assert len(list((path / "tensorboard").glob("*/seed*/events.out.tfevents.*"))) == 4
    assert server.num_requests == 0

    without = craftc(tmp_path, "sync", "tiny")
    assert without.returncode == 1
    assert "error[wandb-no-key]" in without.stderr

    synced = craftc(tmp_path, "sync", "tiny", **key)
    assert synced.returncode == 0, synced.stderr
    assert synced.stdout.splitlines() == [
        f"W&B has 4 runs of tiny/{path.name}: 4 uploaded now, 0 before",
        "sweep sweep0, made now",
    ]
    store = Store(tmp_path / "runs" / "store")
    plan = RunFolder(path).plan()
    assert len(server.by_name) == 4
    for trial in plan.trials:
        run = server.by_name[f"{trial.variant}/seed{trial.seed}"]
        assert run.rows == [{"step": at.epoch, **at.metrics} for at in store.history(trial.id)]
        assert run.summary["test/accuracy"] == store.result(trial.id).best["test/accuracy"]
        assert (run.group, run.sweep, run.state) == (path.name, "sweep0", "finished")
    parameters = server.sweeps["sweep0"].config["parameters"]
    assert parameters == {"training.optimizer.lr": {"values": [0.01, 0.001]}, "seed": {"values": [0, 1]}}
    assert sorted(server.sweeps["sweep0"].prior_runs) == sorted(server.runs)

    before = server.num_requests
    again = craftc(tmp_path, "sync", f"tiny/{path.name}", **key)
    assert again.stdout.splitlines()[0].endswith("0 uploaded now, 4 before")
    assert again.stdout.splitlines()[1] == "sweep sweep0, made before"
    assert server.num_requests == before

    # The same spec once more trains nothing, and has been told of before.
    second = craftc(tmp_path, "run", "tiny.yaml", "--backend", "inline", **key)
    assert second.stdout == first.stdout
    assert server.num_requests == before
    latest = max((tmp_path / "runs" / "tiny").iterdir())
    assert len(list((latest / "tensorboard").glob("*/seed*/events.out.tfevents.*"))) == 4
    for environment in (key, {}):
        nothing = craftc(tmp_path, "sync", f"tiny/{latest.name}", **environment)
        assert nothing.returncode == 2
        assert "error[wandb-nothing-kept]" in nothing.stderr
    assert sorted(at.name for at in tmp_path.iterdir() if not at.name.startswith(".")) == ["runs", "tiny.yaml"]


def test_disabled_and_a_sweep_is_said(tmp_path):
    (tmp_path / "tiny.yaml").write_text(SPEC.replace("sweep: true", "mode: disabled, sweep: true"))
    ran = craftc(tmp_path, "run", "tiny.yaml", "--backend", "inline")
    assert ran.returncode == 0
    assert "W&B is disabled, so there is no sweep" in ran.stderr
    (path,) = (tmp_path / "runs" / "tiny").iterdir()
    assert not (path / "wandb").exists()
    assert read_record(path) is None


def tell_offline(told, *, num_told: int) -> None:
    """The journal has all trials; W&B was told of the first ones, and of half of the next."""
    tracker = WandbTracker(told.tracked(pytest.fail), project="digits", mode="offline", sweep=True)
    tracker.start(told.plan, told.folder.run_name)
    with told.folder.journal() as journal:
        for number, trial in enumerate(told.plan.trials):
            events = told.train(trial.id)
            journal.write(events[-1])
            for event in events if number < num_told else events[:2] if number == num_told else []:
                tracker.event(event)
    tracker.close()


def test_what_wandb_was_never_told_is_written_from_the_store(server, make_run):
    told = make_run()
    tell_offline(told, num_told=2)
    record = read_record(told.folder.path)
    assert record is not None
    # The third was cut off as a killed process cuts it: begun, never ended. The first one's files are gone.
    third, first = told.plan.trials[2].id, told.plan.trials[0].id
    file = RecordFile(told.folder.path, record.settings)
    file.update_run(third, ended=False)
    file.close()
    shutil.rmtree(told.folder.path / record.runs[first].folder)

    synced = sync_run(told.folder, told.store, warn=pytest.fail)
    assert (synced.num_uploaded, synced.num_runs) == (6, 6)
    assert len(server.by_name) == 6
    for trial in told.plan.trials:
        assert server.by_name[f"{trial.variant}/seed{trial.seed}"].rows == told.rows(trial.id)
    assert {run.sweep for run in server.runs.values()} == {"sweep0"}
    assert record.runs[third].id in server.runs


def test_a_run_that_is_still_going_on_is_not_synced(server, make_run):
    told = make_run()
    tell_offline(told, num_told=6)
    record = read_record(told.folder.path)
    assert record is not None
    held = RecordFile(told.folder.path, record.settings)
    with pytest.raises(TimeoutError, match="still being run or synced"):
        sync_run(told.folder, told.store, warn=pytest.fail)
    assert server.num_requests == 0
    held.close()


def test_an_upload_that_stalls_is_given_up_and_taken_up_again(server, make_run, monkeypatch):
    told = make_run()
    tell_offline(told, num_told=6)
    server.hangs = True
    with monkeypatch.context() as impatient:
        impatient.setattr("craftc.runtime.observers.wandb_client.STALL_TIMEOUT_S", 2.0)
        with pytest.raises(Exception, match=re.escape("did not take 6 of 6 runs")):
            sync_run(told.folder, told.store, warn=pytest.fail)
    server.release()
    synced = sync_run(told.folder, told.store, warn=pytest.fail)
    assert (synced.num_uploaded, synced.made_sweep) == (6, True)


def test_the_journal_of_a_killed_run_is_read_up_to_its_torn_line(make_run):
    from craftc.runtime.observers.wandb_sync import journal_events

    told = make_run()
    events = [told.train(trial.id)[-1] for trial in told.plan.trials[:2]]
    lines = b"".join(event.model_dump_json().encode() + b"\n" for event in events)
    (told.folder.path / "results.jsonl").write_bytes(lines + b'{"type": "finished", "res')
    assert [event.result.trial for event in journal_events(told.folder.path) if isinstance(event, TrialFinished)] == [
        trial.id for trial in told.plan.trials[:2]
    ]
