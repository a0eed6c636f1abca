"""A run's events in, one Weights & Biases run per trial out. The only file that imports wandb.

A trial that another run finished before gets no W&B run: it has one in the group of the run that trained it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craftc.runtime.store import Store
from craftc.runtime.wandb_mode import CONNECTION_VARIABLES, Mode
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
from craftc.schemas.spec import Wandb

INIT_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 30.0
"""How long a server may take; what it did not take stays in the run folder and can be uploaded later."""


@dataclass
class OpenRun:
    """A W&B run that is being written, and the last epoch that it has."""

    run: Any
    last_epoch: int = 0

    def log(self, record: EpochRecord) -> None:
        """Log an epoch once: a job that was begun again tells some twice."""
        if record.epoch > self.last_epoch:
            self.run.log(record.metrics, step=record.epoch)
            self.last_epoch = record.epoch


class WandbTracker:
    """An Observer. Each call may take long or raise: run it InBackground.

    A W&B run starts with its trial, is in the group of the craftc run, and has the trial's config, every epoch's
    metrics with the epoch as step (also those that an interrupted run trained) and a summary: best_epoch,
    epochs_trained, `best.<split>/<metric>`, `last.<split>/<metric>`; of a failed trial, exit code 1 and the error.
    """

    def __init__(self, settings: Wandb, *, mode: Mode, store: Store, folder: Path) -> None:
        """`folder`: the run's, in which wandb makes one of its own, `wandb/`."""
        self._settings = settings
        self._mode = mode
        self._store = store
        self._folder = folder
        self._group = ""
        self._trials: dict[str, Trial] = {}
        self._open: dict[str, OpenRun] = {}
        self._was_used = False

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        self._trials = {trial.id: trial for trial in plan.trials}
        self._group = run_name

    def event(self, event: Event) -> None:
        """See Observer.event."""
        with _without_overrides():
            match event:
                case TrialProposed(trial=proposed):
                    self._trials[proposed.id] = proposed
                case TrialStarted(trial=trial, epoch=epoch):
                    self._catch_up(trial, epoch)
                case EpochEnded(record=record):
                    self._run_of(record.trial).log(record)
                case TrialFinished(result=result, reused=reused):
                    if not reused or result.trial in self._open:
                        self._catch_up(result.trial, result.epochs_trained)
                        self._end(result.trial, summary_of(result), exit_code=0)
                case TrialPruned() if event.trial in self._open:
                    self._end(event.trial, {"pruned_at_epoch": event.epoch}, exit_code=0)
                case TrialFailed():
                    self._run_of(event.trial)
                    self._end(event.trial, {"error.code": event.code, "error.message": event.message}, exit_code=1)

    def close(self) -> None:
        """End the runs of interrupted trials as failed, and wandb's own process."""
        if not self._was_used:
            return
        import wandb

        with _without_overrides():
            try:
                for trial in list(self._open):
                    self._end(trial, {"error.code": "interrupted"}, exit_code=1)
            finally:
                try:
                    wandb.teardown()
                except SystemExit as end:
                    # wandb ends the program where its service had an error.
                    raise RuntimeError(f"the wandb service ended with exit code {end.code}") from end

    def _catch_up(self, trial: str, epoch: int) -> None:
        """Log the epochs up to `epoch` that the W&B run does not have."""
        run = self._run_of(trial)
        if run.last_epoch < epoch:
            for record in self._store.history(trial):
                if record.epoch <= epoch:
                    run.log(record)

    def _run_of(self, trial: str) -> OpenRun:
        if trial not in self._open:
            self._open[trial] = OpenRun(self._begin(self._trials[trial]))
        return self._open[trial]

    def _begin(self, trial: Trial) -> Any:
        import wandb

        self._was_used = True
        return wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            group=self._group,
            name=f"{trial.variant}/seed{trial.seed}",
            job_type=trial.variant,
            config=config_of(trial),
            dir=self._folder,
            reinit="create_new",
            settings=wandb.Settings(
                mode=self._mode,
                quiet=True,
                silent=True,
                console="off",
                save_code=False,
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                host="",
                program="craftc",
                init_timeout=INIT_TIMEOUT_S,
                finish_timeout=FINISH_TIMEOUT_S,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )

    def _end(self, trial: str, summary: Mapping[str, Any], *, exit_code: int) -> None:
        run = self._open.pop(trial).run
        run.summary.update(dict(summary))
        run.finish(exit_code=exit_code)


def config_of(trial: Trial) -> dict[str, Any]:
    """The trial's config by dotted path, with its variant, seed and id."""
    return {**flatten(trial.config), "variant": trial.variant, "seed": trial.seed, "trial": trial.id}


def summary_of(result: Result) -> dict[str, Any]:
    """What a trial came to, by name."""
    best = {f"best.{name}": value for name, value in result.best.items()}
    last = {f"last.{name}": value for name, value in result.last.items()}
    return {
        "best_epoch": result.best_epoch,
        "epochs_trained": result.epochs_trained,
        "num_parameters": result.num_parameters,
        **best,
        **last,
    }


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted path: `training.schedule.0.kind`. Lists of plain values, and what is empty, are leaves."""
    if isinstance(value, Mapping) and value:
        items: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        items = enumerate(value)
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat


@contextmanager
def _without_overrides() -> Iterator[None]:
    """Hide WANDB_* variables that would have a say in what is written where."""
    hidden = {name for name in os.environ if name.startswith("WANDB_")} - CONNECTION_VARIABLES
    values = {name: os.environ.pop(name) for name in hidden}
    try:
        yield
    finally:
        os.environ.update(values)
