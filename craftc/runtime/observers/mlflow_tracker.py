"""A run's events in, one MLflow run per trial out, by MLflow's own client. The only file that imports mlflow.

MLflow's folder of files is closed to new data unless a variable of the environment opens it (MLflow 3.17); a
SQLite file is what its client reads and writes without a server.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from craftc.components.bounds import FROM_ENVIRONMENT, Name
from craftc.runtime.observers.logged import logged
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.observers.wandb_contents import flatten
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

TRIAL = "craftc.trial"
STATUS = "craftc.status"
ERRORS = ("craftc.error", "craftc.error_message")
"""Tags of a run."""
ENDS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
MOST_PARAMS = 100
MOST_METRICS = 1000
"""How many MLflow takes at a time."""
LONGEST_VALUE = 6000
"""Characters of a parameter's value that MLflow keeps."""
NOT_IN_A_NAME = re.compile(r"[^\w./ :-]")


@dataclass
class OpenRun:
    """A trial's MLflow run, and the last epoch that it has."""

    run_id: str
    last_epoch: int


class MlflowTracker:
    """MLflow: a run for each trial, in an experiment named as the spec, without a server.

    A run has every epoch's metrics with the epoch as step, the trial's config by dotted path as parameters, beside them
    each factor by its name, and tags: the trial's id, its variant and seed, the craftc run, and its status. A trial
    that has a run in the experiment is taken up in it, so that none is there twice.
    """

    requires: ClassVar = {"mlflow": "mlflow-skinny"}

    def __init__(
        self,
        run: TrackedRun,
        /,
        *,
        tracking_uri: Annotated[Name | Literal["none"], FROM_ENVIRONMENT] = "none",
        experiment: Annotated[Name | Literal["none"], FROM_ENVIRONMENT] = "none",
    ) -> None:
        """Make the tracker.

        Args:
            tracking_uri: Where MLflow keeps what it is told, as MLflow writes it: `sqlite:////shared/mlflow.db`, or a
                server's `http://host:5000`. none: the SQLite file `mlflow/mlflow.db` in the run's folder.
            experiment: MLflow experiment. none: the name of the spec.
        """
        self._run = run
        self._uri = tracking_uri
        self._experiment = experiment
        self._client: Any = None
        self._experiment_id = ""
        self._run_name = ""
        self._trials: dict[str, Trial] = {}
        self._open: dict[str, OpenRun] = {}
        self._known: dict[str, Any] = {}

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start. A trial of the plan that an earlier run trained is written from the store."""
        self._run_name = run_name
        self._trials = {trial.id: trial for trial in plan.trials}
        self._connect(self._experiment if self._experiment != "none" else plan.name)
        for trial in plan.trials:
            if trial.status == "reused":
                self._finish(self._run.store.result(trial.id))

    def event(self, event: Event) -> None:
        """See Observer.event."""
        match event:
            case TrialProposed(trial=proposed):
                self._trials[proposed.id] = proposed
            case TrialStarted(trial=trial, epoch=epoch):
                self._log(trial, (record for record in self._run.store.history(trial) if record.epoch <= epoch))
            case EpochEnded(record=record):
                self._log(record.trial, [record])
            case TrialFinished(result=result):
                self._finish(result)
            case TrialPruned(trial=trial, epoch=epoch) if trial in self._open:
                self._end(trial, "pruned", {"craftc.pruned_at_epoch": str(epoch)})
            case TrialFailed(trial=trial):
                self._log(trial, self._run.store.history(trial))
                self._end(trial, "failed", dict(zip(ERRORS, (event.code, event.message), strict=True)))

    def close(self) -> None:
        """End the MLflow runs of interrupted trials as killed; whoever goes on with such a trial takes its run up."""
        for trial in list(self._open):
            self._end(trial, "interrupted", {})

    def _connect(self, experiment: str) -> None:
        """Open the store; find the experiment, or make it, and the runs that it has."""
        # Nothing of an experiment is told to MLflow's makers unless its user says so.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        folder, where = self._run.folder.resolve() / "mlflow", None
        uri = self._uri
        if uri == "none":
            folder.mkdir(exist_ok=True)
            uri, where = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(experiment)
        if known is None:
            self._experiment_id = self._client.create_experiment(experiment, artifact_location=where)
        else:
            self._experiment_id = known.experiment_id
            self._known = self._find_runs()

    def _find_runs(self) -> dict[str, Any]:
        """The runs that the experiment has, by trial."""
        found: dict[str, Any] = {}
        token: str | None = None
        while True:
            page = self._client.search_runs([self._experiment_id], page_token=token)
            found |= {run.data.tags[TRIAL]: run for run in page if TRIAL in run.data.tags}
            token = page.token
            if not token:
                return found

    def _run_of(self, trial: str) -> OpenRun:
        if trial not in self._open:
            known = self._known.get(trial)
            self._open[trial] = self._begin(self._trials[trial]) if known is None else self._take_up(known)
        return self._open[trial]

    def _begin(self, trial: Trial) -> OpenRun:
        from mlflow.entities import Param

        tags = {TRIAL: trial.id, STATUS: "running", "craftc.variant": trial.variant, "craftc.seed": str(trial.seed)}
        name = f"{trial.variant}/{trial.replicate}"
        run = self._client.create_run(self._experiment_id, run_name=name, tags={**tags, "craftc.run": self._run_name})
        values = {**flatten(trial.config), **self._run.factors.values_of(trial), "seed": trial.seed}
        params = [Param(_name(key), _text(value)) for key, value in values.items()]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(run.info.run_id, params=params[start : start + MOST_PARAMS])
        return OpenRun(run.info.run_id, last_epoch=0)

    def _take_up(self, known: Any) -> OpenRun:
        """Go on with the run of a trial that has not finished."""
        run_id = known.info.run_id
        self._client.update_run(run_id, status="RUNNING")
        self._client.set_tag(run_id, "craftc.run", self._run_name)
        for tag in ERRORS:
            if tag in known.data.tags:
                self._client.delete_tag(run_id, tag)
        steps = [at.step for name in known.data.metrics for at in self._client.get_metric_history(run_id, name)]
        return OpenRun(run_id, max(steps, default=0))

    def _log(self, trial: str, records: Iterable[EpochRecord]) -> None:
        """Log records once: a job that was begun again tells some twice."""
        opened, of = self._run_of(trial), self._trials[trial]
        new = [record for record in records if record.epoch > opened.last_epoch]
        self._log_metrics(opened, [(name, at, r.epoch) for r in new for name, at in logged(of, r).items()])
        opened.last_epoch = max((record.epoch for record in new), default=opened.last_epoch)

    def _log_metrics(self, opened: OpenRun, values: list[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_name(name), value, now, step) for name, value, step in values]
        for start in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(opened.run_id, metrics=metrics[start : start + MOST_METRICS])

    def _finish(self, result: Result) -> None:
        """Log what is missing of a finished trial, unless all of it is there."""
        known = self._known.get(result.trial)
        if known is None or known.data.tags.get(STATUS) != "finished":
            self._log(result.trial, self._run.store.history(result.trial))
            best = [(f"best.{name}", value, result.best_epoch) for name, value in result.best.items()]
            last = [(f"last.{name}", value, result.epochs_trained) for name, value in result.last.items()]
            self._log_metrics(self._run_of(result.trial), best + last)
        if result.trial in self._open:
            self._end(result.trial, "finished", {"craftc.best_epoch": str(result.best_epoch)})

    def _end(self, trial: str, status: str, tags: Mapping[str, str]) -> None:
        run_id = self._open.pop(trial).run_id
        for key, value in {**tags, STATUS: status}.items():
            self._client.set_tag(run_id, key, value)
        self._client.set_terminated(run_id, ENDS[status])
        self._known[trial] = self._client.get_run(run_id)


def _name(name: str) -> str:
    """A name as MLflow allows it."""
    return NOT_IN_A_NAME.sub("_", name)


def _text(value: Any) -> str:
    """A parameter's value as MLflow keeps it."""
    return (value if isinstance(value, str) else json.dumps(value))[:LONGEST_VALUE]
