"""Sends each trial to a Weights & Biases run of its own, in a W&B sweep where the spec asks for one. Each call may take
long or raise, so that it is run InBackground.

A trial that another run finished before gets a W&B run only in a sweep, which without it would have gaps: written from
the store, with the tag `reused`. Otherwise it has one in the group of the run that trained it.
"""

import os
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from craftc.components.bounds import FROM_ENVIRONMENT, Name
from craftc.runtime.observers import wandb_client
from craftc.runtime.observers.logged import logged
from craftc.runtime.observers.observer import describe
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.observers.wandb_contents import config_of, summary_of
from craftc.runtime.observers.wandb_mode import resolve_mode
from craftc.runtime.observers.wandb_record import RecordFile, WandbRun, WandbSettings, in_earlier_sweep, read_record
from craftc.runtime.observers.wandb_sweep import sweep_config
from craftc.runtime.store.shown_command import shown_command
from craftc.schemas.plan import Headline, Plan, Trial
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

NUM_CONFIRMATIONS = 4
CONFIRM_EVERY_S = 1.0
REUSED = "reused"


@dataclass
class OpenRun:
    """The W&B run of a trial that is being written, whether to the server too, and the last record that it has."""

    trial: Trial
    run: Any
    online: bool
    last_epoch: int = 0

    def log(self, record: EpochRecord) -> None:
        """Log a record once: a job that was begun again tells some twice."""
        if record.epoch > self.last_epoch:
            self.run.log(logged(self.trial, record), step=record.epoch)
            self.last_epoch = record.epoch


@dataclass(frozen=True)
class LeftRun:
    """A W&B run that ended after the server went away: wandb has it on disk, and waits for the server in vain."""

    trial: str
    run: Any
    exit_code: int


class WandbTracker:
    """Weights & Biases: a W&B run for each trial, all in the group of the craftc run.

    A W&B run starts with its trial, and has the trial's config, every epoch's
    metrics with the epoch as step (also those that an interrupted run trained; where records are no epochs, with the
    record as step, and `train/step` beside) and a summary: best_epoch,
    epochs_trained, `best.<split>/<metric>`, `last.<split>/<metric>`, and the headline by its own name, of the best
    epoch; of a failed trial, exit code 1 and the error. With a sweep, the config also has every factor by its name.

    A server that refuses, hangs or goes away turns the run offline, with one warning. What it has not confirmed stands
    in wandb.json as not uploaded, for `craftc sync`.
    """

    def __init__(
        self,
        run: TrackedRun,
        /,
        *,
        project: Annotated[Name, FROM_ENVIRONMENT],
        entity: Annotated[Name | Literal["none"], FROM_ENVIRONMENT] = "none",
        mode: Literal["auto", "online", "offline", "disabled"] = "auto",
        sweep: bool = False,
    ) -> None:
        """wandb makes a folder of its own, `wandb/`, in that of the run.

        Args:
            project: W&B project.
            entity: W&B user or team; none: the key's own.
            mode: auto: online with an API key on this machine, offline without.
            sweep: Gather the runs in a W&B sweep over what varies; offline, by `craftc sync` afterwards.
        """
        self._settings = WandbSettings(
            project=project, entity=None if entity == "none" else entity, mode=mode, sweep=sweep
        )
        self._store = run.store
        self._folder = run.folder
        self._factors = run.factors
        self._warn = run.warn
        self._mode = resolve_mode(mode, os.environ, run.warn)
        self._file: RecordFile | None = None
        self._group = ""
        self._headline: Headline | None = None
        self._trials: dict[str, Trial] = {}
        self._open: dict[str, OpenRun] = {}
        self._left: list[LeftRun] = []
        self._to_confirm: dict[str, str] = {}
        self._was_used = False

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start. A run that trains nothing is told to W&B only where that makes a new sweep."""
        if self._mode == "disabled":
            if self._settings.sweep:
                self._warn("W&B is disabled, so there is no sweep")
            return
        if self._has_nothing_to_tell(plan):
            return
        self._trials = {trial.id: trial for trial in plan.trials}
        self._group = run_name
        self._headline = plan.headline
        self._file = RecordFile(self._folder, self._settings)
        self._file.update(factors=self._factors)
        if self._settings.sweep:
            self._file.update(sweep=sweep_config(self._factors, plan, run_name))
            self._make_sweep()
            for trial in plan.trials:
                if trial.status == "reused" and not self._has_ended(trial.id):
                    self._finish(self._store.result(trial.id), reused=True)

    def event(self, event: Event) -> None:
        """See Observer.event."""
        if self._file is None:
            return
        match event:
            case TrialProposed(trial=proposed):
                self._trials[proposed.id] = proposed
            case TrialStarted(trial=trial, epoch=epoch):
                self._catch_up(trial, epoch)
            case EpochEnded(record=record):
                self._run_of(record.trial).log(record)
            case TrialFinished(result=result, reused=reused):
                if not reused or result.trial in self._open or self._settings.sweep:
                    self._finish(result, reused=reused)
            case TrialPruned(trial=trial, epoch=epoch) if trial in self._open:
                self._end(trial, {"pruned_at_epoch": epoch}, exit_code=0)
            case TrialFailed(trial=trial):
                # All that was trained: where this is told afterwards, no epoch was.
                for record in self._store.history(trial):
                    self._run_of(trial).log(record)
                self._run_of(trial)
                self._end(trial, {"error.code": event.code, "error.message": event.message}, exit_code=1)

    def close(self) -> None:
        """End the runs of interrupted trials as failed, ask what the server has, and end wandb's own process."""
        if self._file is None:
            return
        try:
            for trial in list(self._open):
                self._end(trial, {"error.code": "interrupted"}, exit_code=1)
            self._finish_left()
            self._confirm()
        finally:
            self._file.close()
            if self._was_used:
                wandb_client.teardown()

    def _has_nothing_to_tell(self, plan: Plan) -> bool:
        """Whether nothing is trained, and no sweep lacks what was trained before."""
        if plan.jobs or plan.search is not None or read_record(self._folder) is not None:
            return False
        return not self._settings.sweep or in_earlier_sweep(plan, self._folder)

    def _make_sweep(self) -> None:
        assert self._file is not None
        record = self._file.record
        if self._mode == "online" and record.sweep is not None and record.sweep_id is None:
            self._was_used = True
            try:
                self._file.update(sweep_id=wandb_client.create_sweep(record.sweep, self._settings))
            except Exception as error:
                # The boundary where whatever W&B's client raises turns the run offline; so below.
                self._go_offline(error)

    def _go_offline(self, error: Exception) -> None:
        if self._mode == "online":
            self._mode = "offline"
            run = f"{self._folder.parent.name}/{self._group}"
            sync = shown_command("sync", run, runs_dir=self._folder.parent.parent)
            self._warn(f"W&B failed ({describe(error)}); the run goes on offline, `{sync}` uploads it later")

    def _finish(self, result: Result, *, reused: bool = False) -> None:
        self._run_of(result.trial, (REUSED,) if reused else ())
        self._catch_up(result.trial, result.epochs_trained)
        assert self._headline is not None
        self._end(result.trial, summary_of(result, self._headline), exit_code=0)

    def _catch_up(self, trial: str, epoch: int) -> None:
        """Log the epochs up to `epoch` that the W&B run does not have."""
        run = self._run_of(trial)
        if run.last_epoch < epoch:
            for record in self._store.history(trial):
                if record.epoch <= epoch:
                    run.log(record)

    def _run_of(self, trial: str, tags: tuple[str, ...] = ()) -> OpenRun:
        if trial not in self._open:
            self._open[trial] = self._begin(self._trials[trial], tags)
        return self._open[trial]

    def _begin(self, trial: Trial, tags: tuple[str, ...]) -> OpenRun:
        assert self._file is not None
        self._was_used = True
        known = self._file.record.runs.get(trial.id)
        identity = wandb_client.RunIdentity(
            id=known.id if known is not None and not known.ended else secrets.token_hex(4),
            name=f"{trial.variant}/{trial.replicate}",
            group=self._group,
            job_type=trial.variant,
            tags=tags,
            sweep_id=self._file.record.sweep_id,
        )
        config = config_of(trial, self._factors if self._settings.sweep else None)
        run: Any = None
        if online := self._mode == "online":
            try:
                run = wandb_client.begin_run(identity, config, self._settings, mode="online", folder=self._folder)
            except Exception as error:
                self._go_offline(error)
                # wandb holds on to the id of a run whose beginning timed out.
                identity = replace(identity, id=secrets.token_hex(4))
        if run is None:
            run = wandb_client.begin_run(identity, config, self._settings, mode="offline", folder=self._folder)
        elif self._file.record.entity is None:
            self._file.update(entity=run.entity)
        folder = Path(run.dir).parent.resolve().relative_to(self._folder.resolve())
        kept = WandbRun(id=identity.id, folder=str(folder), sweep_id=identity.sweep_id)
        self._file.put_run(trial.id, kept)
        return OpenRun(trial, run, online)

    def _end(self, trial: str, summary: Mapping[str, Any], *, exit_code: int) -> None:
        assert self._file is not None
        opened = self._open.pop(trial)
        opened.run.summary.update(dict(summary))
        if opened.online and self._mode == "offline":
            self._left.append(LeftRun(trial, opened.run, exit_code))
            return
        try:
            opened.run.finish(exit_code=exit_code)
        except Exception as error:
            if not opened.online:
                raise
            self._go_offline(error)
        self._file.update_run(trial, ended=True)
        if opened.online and self._mode == "online":
            self._to_confirm[self._file.record.runs[trial].id] = trial

    def _finish_left(self) -> None:
        """Have wandb give up on the runs of a server that went away, on all at the same time: each may take long."""
        assert self._file is not None
        if self._left:
            with ThreadPoolExecutor(max_workers=len(self._left)) as pool:
                waits = [pool.submit(left.run.finish, exit_code=left.exit_code) for left in self._left]
            unexpected = [error for wait in waits if not isinstance(error := wait.exception(), TimeoutError | None)]
            for left in self._left:
                self._file.update_run(left.trial, ended=True)
            if unexpected:
                raise unexpected[0]

    def _confirm(self) -> None:
        """Record what the server has to its end. A run whose upload was refused on the way ends without an error."""
        assert self._file is not None
        for attempt in range(NUM_CONFIRMATIONS):
            if not self._to_confirm or self._mode != "online":
                return
            time.sleep(CONFIRM_EVERY_S if attempt else 0)
            try:
                there = wandb_client.ended_runs(self._entity(), self._settings.project, self._group)
            except Exception as error:
                self._go_offline(error)
                return
            for run_id in there & set(self._to_confirm):
                self._file.update_run(self._to_confirm.pop(run_id), uploaded=True)
        if self._to_confirm:
            self._go_offline(RuntimeError(f"{len(self._to_confirm)} of its runs did not arrive whole"))

    def _entity(self) -> str:
        assert self._file is not None
        return self._settings.entity or self._file.record.entity or ""

    def _has_ended(self, trial: str) -> bool:
        assert self._file is not None
        return trial in self._file.record.runs and self._file.record.runs[trial].ended
