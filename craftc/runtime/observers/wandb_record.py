"""Reads and writes `wandb.json` in the run folder: what W&B has of the run, and what is still to be uploaded."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from craftc.runtime.observers.factors import Factors
from craftc.schemas.frozen import Frozen
from craftc.schemas.plan import Plan
from craftc.training.foundation.atomic_file import write_atomically

FILE_NAME = "wandb.json"


class WandbSettings(Frozen):
    """What a spec asks of W&B. `entity`: the user or team; None: the key's own."""

    project: str
    entity: str | None = None
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    sweep: bool = False


class WandbRun(Frozen):
    """A trial's W&B run. `folder` is where wandb keeps it, below the run folder.

    `ended`: wandb has all of it on disk. `uploaded`: the server has all of it. `sweep_id`: the sweep it is attached to.
    """

    id: str
    folder: str
    ended: bool = False
    uploaded: bool = False
    sweep_id: str | None = None


class WandbRecord(Frozen):
    """Everything that `craftc sync` needs. `entity` is known once the server said it; `sweep` is the configuration of
    the sweep that the runs belong to, `sweep_id` its name once it was made. `runs` are by trial."""

    format_version: str = "1.0"
    settings: WandbSettings
    entity: str | None = None
    factors: Factors | None = None
    sweep: dict[str, Any] | None = None
    sweep_id: str | None = None
    runs: dict[str, WandbRun] = Field(default_factory=dict)

    @property
    def num_waiting(self) -> int:
        """How many runs the server does not have yet, or not in their sweep."""
        return sum(not run.uploaded or (self.sweep is not None and run.sweep_id is None) for run in self.runs.values())


class RecordFile:
    """The record on disk, held by one process at a time; every change is written at once, whole."""

    def __init__(self, run_folder: Path, settings: WandbSettings) -> None:
        """Open the record of a run folder, or begin it. Raises TimeoutError where another process holds it."""
        from filelock import FileLock, Timeout

        self._path = run_folder / FILE_NAME
        self._lock = FileLock(run_folder / f".{FILE_NAME}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise TimeoutError(f"{run_folder} is still being run or synced by another process") from None
        self.record = read_record(run_folder) or WandbRecord(settings=settings)

    def update(self, **changes: Any) -> None:
        """Change fields of the record."""
        self.record = self.record.model_copy(update=changes)
        write_atomically(self._path, self.record.model_dump_json(indent=1).encode() + b"\n")

    def put_run(self, trial: str, run: WandbRun) -> None:
        """Set a trial's run."""
        self.update(runs={**self.record.runs, trial: run})

    def update_run(self, trial: str, **changes: Any) -> None:
        """Change fields of a trial's run."""
        self.put_run(trial, self.record.runs[trial].model_copy(update=changes))

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()


def in_earlier_sweep(plan: Plan, run_folder: Path) -> bool:
    """Whether another run of the same name has all the plan's trials in its sweep, made or waiting to be."""
    trials = {trial.id for trial in plan.trials}
    records = (read_record(path.parent) for path in run_folder.parent.glob(f"*/{FILE_NAME}"))
    return any(record is not None and record.sweep is not None and trials <= record.runs.keys() for record in records)


def read_record(run_folder: Path) -> WandbRecord | None:
    """The record of a run folder; None where the run told W&B nothing. Raises pydantic.ValidationError on damage."""
    try:
        return WandbRecord.model_validate_json((run_folder / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return None
