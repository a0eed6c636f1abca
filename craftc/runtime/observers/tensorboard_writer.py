"""Writes a run's events to TensorBoard's files, a folder for each trial. The only file that imports tensorboardX."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craftc.runtime.observers.logged import logged
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    Result,
    TrialFailed,
    TrialFinished,
    TrialProposed,
    TrialPruned,
    TrialStarted,
)


@dataclass
class OpenTrial:
    """A trial whose events are being written, and the last record that they have."""

    trial: Trial
    writer: Any
    last_epoch: int = 0

    def write(self, record: EpochRecord) -> None:
        """Write a record once: a job that was begun again tells some twice."""
        if record.epoch > self.last_epoch:
            for name, value in logged(self.trial, record).items():
                self.writer.add_scalar(name, value, record.epoch)
            self.writer.flush()
            self.last_epoch = record.epoch


class TensorboardWriter:
    """TensorBoard event files, scalars and hparams, in the run's folder.

    `<run folder>/tensorboard/<variant>/seed<seed>` has a trial's metrics, the epoch as step, from its first epoch on;
    where records are no epochs the record as step, and `train/step` beside.

    A finished trial also has `best/<split>/<metric>` at its best epoch, and a row in TensorBoard's HPARAMS tab: its
    factors, and those values as the row's metrics. A trial that another run finished before is written as a whole.
    """

    def __init__(self, run: TrackedRun, /) -> None:
        self._store = run.store
        self._folder = run.folder / "tensorboard"
        self._factors = run.factors
        self._trials: dict[str, Trial] = {}
        self._open: dict[str, OpenTrial] = {}

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        self._trials = {trial.id: trial for trial in plan.trials}
        for trial in plan.trials:
            if trial.status == "reused":
                self._finish(self._store.result(trial.id))

    def event(self, event: Event) -> None:
        """See Observer.event."""
        match event:
            case TrialProposed(trial=proposed):
                self._trials[proposed.id] = proposed
            case TrialStarted(trial=trial, epoch=epoch):
                self._catch_up(trial, epoch)
            case EpochEnded(record=record):
                self._open_trial(record.trial).write(record)
            case TrialFinished(result=result):
                self._finish(result)
            case TrialFailed(trial=trial) | TrialPruned(trial=trial):
                if trial in self._open:
                    self._open.pop(trial).writer.close()

    def close(self) -> None:
        """See Observer.close."""
        while self._open:
            self._open.popitem()[1].writer.close()

    def _catch_up(self, trial: str, epoch: int) -> None:
        """Write the epochs up to `epoch` that are not there yet."""
        opened = self._open_trial(trial)
        if opened.last_epoch < epoch:
            for record in self._store.history(trial):
                if record.epoch <= epoch:
                    opened.write(record)

    def _finish(self, result: Result) -> None:
        from tensorboardX.summary import hparams

        self._catch_up(result.trial, result.epochs_trained)
        writer = self._open.pop(result.trial).writer
        best = {f"best/{name}": value for name, value in result.best.items()}
        for summary in hparams(self._factors.values_of(self._trials[result.trial]), best):
            writer.file_writer.add_summary(summary)
        for name, value in best.items():
            writer.add_scalar(name, value, result.best_epoch)
        writer.close()

    def _open_trial(self, trial: str) -> OpenTrial:
        from tensorboardX import SummaryWriter

        if trial not in self._open:
            folder = self._folder / folder_of(self._trials[trial])
            # TensorBoard reads all event files of a folder together: what an earlier process wrote would stand twice.
            for file in folder.glob("events.out.tfevents.*"):
                file.unlink()
            self._open[trial] = OpenTrial(self._trials[trial], SummaryWriter(str(folder)))
        return self._open[trial]


def folder_of(trial: Trial) -> Path:
    """Where the trial stands below the run's folder, which is its name in TensorBoard."""
    name = re.sub(r"[^\w.,=+#-]", "_", trial.variant).lstrip(".")
    return Path(name if name == trial.variant else f"{name}-{trial.id[:6]}") / trial.replicate
