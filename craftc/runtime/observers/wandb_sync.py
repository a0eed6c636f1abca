"""Uploads what W&B does not have of a run, and makes its sweep. Safe to repeat: nothing is uploaded twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from craftc.runtime.observers import wandb_client
from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.observer import Warn, describe
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.observers.wandb_record import RecordFile, WandbRecord, read_record
from craftc.runtime.observers.wandb_tracker import WandbTracker
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.result import TrialFailed, TrialFinished

EVENT: TypeAdapter[TrialFinished | TrialFailed] = TypeAdapter(TrialFinished | TrialFailed)


class SyncError(Exception):
    """W&B did not take everything. `code` is permanent; what is left is taken up by the next sync."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Synced:
    """What one sync did. `sweep_id` is the run's sweep, made now or before; None where it asked for none."""

    num_uploaded: int
    num_runs: int
    sweep_id: str | None
    made_sweep: bool


def sync_run(folder: RunFolder, store: Store, *, warn: Warn) -> Synced:
    """Bring W&B up to the run's own record. Raises SyncError, and TimeoutError while the run is still going on."""
    record = read_record(folder.path)
    if record is None:
        raise SyncError("wandb-nothing-kept", f"{folder.path} has nothing for W&B: its spec asked for no W&B runs")
    _write_missing(folder, store, record, warn)
    file = RecordFile(folder.path, record.settings)
    try:
        num_before = sum(run.uploaded for run in file.record.runs.values())
        _upload(folder, file)
        made_sweep = _make_sweep(file)
        num_uploaded = sum(run.uploaded for run in file.record.runs.values()) - num_before
        return Synced(num_uploaded, len(file.record.runs), file.record.sweep_id, made_sweep)
    finally:
        file.close()


def _write_missing(folder: RunFolder, store: Store, record: WandbRecord, warn: Warn) -> None:
    """Write from journal and store the runs that wandb has not kept whole: it was cut off, or its folder deleted."""
    plan, sweep = folder.plan(), record.settings.sweep
    events = [event for event in journal_events(folder.path) if sweep or not getattr(event, "reused", False)]
    trials = {_trial_of(event) for event in events}
    # With a sweep, the tracker itself writes what the plan reuses, as it starts.
    trials |= {trial.id for trial in plan.trials if sweep and trial.status == "reused"}
    missing = {trial for trial in trials if not _is_kept(trial, folder.path, record)}
    if not missing:
        return
    _forget(missing, folder, record)
    factors = record.factors or Factors(axes={})
    settings = record.settings
    tracker = WandbTracker(
        TrackedRun(folder.path, store, factors, warn),
        project=settings.project,
        entity=settings.entity or "none",
        mode="offline",
        sweep=settings.sweep,
    )
    try:
        tracker.start(plan, folder.run_name)
        for event in events:
            if _trial_of(event) in missing:
                tracker.event(event)
    finally:
        tracker.close()


def _forget(trials: set[str], folder: RunFolder, record: WandbRecord) -> None:
    """Have the trials' W&B runs written anew under their ids."""
    file = RecordFile(folder.path, record.settings)
    try:
        for trial in trials & record.runs.keys():
            file.update_run(trial, ended=False)
    finally:
        file.close()


def _is_kept(trial: str, folder: Path, record: WandbRecord) -> bool:
    run = record.runs.get(trial)
    return run is not None and run.ended and (run.uploaded or any((folder / run.folder).glob("*.wandb")))


def _upload(folder: RunFolder, file: RecordFile) -> None:
    waiting = {trial: folder.path / run.folder for trial, run in file.record.runs.items() if not run.uploaded}
    if not waiting:
        return
    wandb_client.upload([path.resolve() for path in waiting.values()], folder.log)
    for trial, path in waiting.items():
        if wandb_client.is_uploaded(path):
            file.update_run(trial, uploaded=True)
    if num_left := sum(not run.uploaded for run in file.record.runs.values()):
        raise SyncError(
            "wandb-not-uploaded",
            f"W&B did not take {num_left} of {len(waiting)} runs; {folder.log} has what it said; sync again later",
        )


def _make_sweep(file: RecordFile) -> bool:
    """Make the sweep of the runs that were uploaded without one. Those that knew theirs are in it."""
    record = file.record
    outside = [trial for trial, run in record.runs.items() if run.sweep_id is None]
    if record.sweep is None or record.sweep_id is not None or not outside:
        return False
    try:
        sweep_id = wandb_client.create_sweep(record.sweep, record.settings, [record.runs[t].id for t in outside])
    except Exception as error:
        # The boundary to W&B's client: whatever it raises, the runs are there and the sweep is made another time.
        message = f"W&B has the runs, but made no sweep of them: {describe(error)}; sync again later"
        raise SyncError("wandb-not-uploaded", message) from error
    finally:
        wandb_client.teardown()
    runs = {trial: run.model_copy(update={"sweep_id": sweep_id}) for trial, run in record.runs.items()}
    file.update(sweep_id=sweep_id, runs=runs)
    return True


def journal_events(folder: Path) -> Iterator[TrialFinished | TrialFailed]:
    """The last event of every trial that ended in this run; a last line left half written is passed over."""
    path = folder / "results.jsonl"
    if not path.is_file():
        return
    last: dict[str, TrialFinished | TrialFailed] = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            event = EVENT.validate_json(line)
            last[_trial_of(event)] = event
    yield from last.values()


def _trial_of(event: TrialFinished | TrialFailed) -> str:
    return event.result.trial if isinstance(event, TrialFinished) else event.trial
