"""A trial of a program from where the store has it: its records and its state are written here."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from craftc.runtime.jobs.decide import Decide, watched_by
from craftc.runtime.programs.ending import ProgramError
from craftc.runtime.programs.output_log import FILE
from craftc.runtime.programs.standing import Standing, standing_of
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord
from craftc.training.foundation.atomic_file import write_together
from craftc.training.programs.kept_state import POINTER, Kept, clear, point_to, read_pointer, restore
from craftc.training.programs.state_values import StateError
from craftc.training.state.history import History, append_record, cut_history, read_history

FILES = "files"
CHECKPOINTS = "checkpoints"


@dataclass
class Attempt:
    """One process of a trial, from where the trial stands. `kept` is the state that it goes on from."""

    trial: Trial
    store: Store
    decide: Decide
    standing: Standing
    num_decided: int
    kept: Kept | None
    stop: str | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """The trial's, in the store."""
        return self.store.folder(self.trial.id)

    def record(self, message: Mapping[str, Any]) -> EpochRecord:
        """Write a report, and the state that came with it. Raises ProgramError `metric-not-recorded`, OSError."""
        now = time.monotonic()
        epoch = self.standing.num_records + 1
        step = epoch if message["step"] is None else message["step"]
        record = EpochRecord(
            trial=self.trial.id, epoch=epoch, step=step, metrics=message["metrics"], seconds=now - self.since
        )
        self.standing = self.standing.after(record, message["not_finite"], watched_by(self.decide))
        write_together([], flush=[append_record(self.folder, record)])
        if message["state"] is not None:
            not_finite = dict(self.standing.not_finite)
            kept = Kept(**message["state"])
            point_to(kept, self.folder / CHECKPOINTS, trial=self.trial.id, epoch=epoch, not_finite=not_finite)
        self.since = now
        return record

    def only_record(self) -> EpochRecord:
        """That of a program which measured everything once. Raises ProgramError `program-reported-nothing`."""
        final, self.standing = self.standing.final, replace(self.standing, final={})
        if not final and not self.standing.not_finite:
            message = f"the program ended without a report; call run.report or run.finish (what it printed: {FILE})"
            raise ProgramError("program-reported-nothing", message)
        not_finite = dict(self.standing.not_finite)
        self.standing = replace(self.standing, not_finite={})
        return self.record({"metrics": final, "not_finite": list(not_finite), "step": None, "state": None})

    def decided(self, record: EpochRecord) -> str | None:
        """Why the program is to end behind a record; None where it goes on."""
        # The last records of an interrupted trial may be ahead of its state, and were decided on before.
        if not (record.epoch <= self.num_decided or self.decide(record)):
            return "pruned"
        return "early-stopping" if self.standing.is_stopped_early else None


def begin(trial: Trial, store: Store, decide: Decide) -> tuple[Attempt, str | None]:
    """Bring the files of the trial to its last state; a sentence where it begins anew."""
    folder = store.folder(trial.id)
    (folder / FILES).mkdir(exist_ok=True)
    known = read_history(folder, trial.id)
    history = known.records
    warning, found = None, None
    try:
        found = read_pointer(folder / CHECKPOINTS)
        if found is not None:
            _check_state(found[1], trial, folder, known)
        if found is None and known.fault is not None:
            warning = f"it begins anew: {folder}/{known.fault}"
        elif found is None and history:
            num = f"{len(history)} record{'s' if len(history) > 1 else ''}"
            warning = f"it begins anew, since the program handed over no state with its {num}"
    except StateError as error:
        found, warning = None, f"it begins anew: {error}"
    kept, more = found or (None, {"epoch": 0, "not_finite": {}})
    clear(folder / CHECKPOINTS, but=kept)
    cut_history(folder, trial.id, more["epoch"])
    if kept is not None and kept.path is not None:
        # Here and not in the program, of which there may be several.
        restore(kept, folder=folder / CHECKPOINTS, files=folder / FILES)
    standing = standing_of(trial, history[: more["epoch"]], more["not_finite"], watched_by(decide))
    return Attempt(trial, store, decide, standing, len(history), kept), warning


def _check_state(about: Mapping[str, Any], trial: Trial, folder: Path, history: History) -> None:
    """Raise StateError where a state is that of another trial, or is behind records that are damaged."""
    if about.get("trial") != trial.id or not isinstance(about.get("epoch"), int):
        raise StateError(f"{folder / CHECKPOINTS / POINTER} is that of trial {str(about.get('trial'))[:12]}")
    if len(history.records) < about["epoch"]:
        raise StateError(f"{folder}/{history.fault or f'metrics.jsonl has no line {len(history.records) + 1}'}")


def setup_of(
    trial: Trial, store: Store, kept: Kept | None, num_records: int, *, device: str, cpus: int, rank: int, size: int
) -> dict[str, Any]:
    """What the process of a program is told; see `program_process`."""
    folder = store.folder(trial.id).absolute()
    return {
        "program": trial.config["program"],
        "seed": trial.seed,
        "device": "cuda:0" if device == "cuda" else device,
        "cpus": cpus,
        "files": str(folder / FILES),
        "checkpoints": str(folder / CHECKPOINTS),
        "num_records": num_records,
        "state": None if kept is None else vars(kept),
        "workers": {"rank": rank, "size": size},
    }
