"""A job in, its events out: what every backend runs in the process that trains."""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Protocol

from craftc.runtime.jobs.job_source import Point, Work
from craftc.runtime.store.store import Store
from craftc.runtime.work.job import Decide, go_on
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Event, Result, TrialFailed, TrialFinished, TrialPruned

Report = Callable[[Point, int, float], bool]
"""Tells the study a point's value at a step; whether to go on."""


class Run(Protocol):
    """Trains trials one after another, as `run_job` does."""

    def __call__(self, trials: Sequence[Trial], *, decide: Decide) -> Iterator[Event]:
        """Their events. `decide` may be asked in another process, so it can be pickled."""
        ...


def run_work(work: Work, run: Run, *, store: Store, report: Report | None = None) -> Iterator[Event]:
    """Have `run` train a job's trials. Where it belongs to a point, each epoch goes to the study first, which may
    stop it; `report` is needed then."""
    if work.point is None:
        yield from run(work.trials, decide=go_on)
        return
    assert report is not None
    reporter = Reporter(work.point, report)
    trials = {trial.id: trial for trial in work.trials}
    reason: str | None = None
    for trial_id in work.point.trials:
        if trial_id not in trials:
            # Finished before: by another run, or by this job's process before it died.
            if store.is_finished(trial_id):
                reporter.replay(store.history(trial_id), store.result(trial_id))
        elif reason is not None and work.point.is_prunable:
            yield _not_begun(trials[trial_id], reason)
        else:
            for event in run([trials[trial_id]], decide=reporter.decide):
                match event:
                    case TrialFinished(result=result):
                        reporter.finished(result)
                    case TrialPruned():
                        reason = "pruner"
                    case TrialFailed():
                        reason = "other-seed-failed"
                yield event


def _not_begun(trial: Trial, reason: str) -> TrialPruned:
    epochs = int(trial.config["training"]["epochs"])
    return TrialPruned.model_validate({"trial": trial.id, "epoch": 0, "epochs_planned": epochs, "reason": reason})


class Reporter:
    """Turns the epochs of a point's trials into values of the study.

    Step: `index of the trial * epochs + epoch`. Value: the mean of the metric at that epoch and of what the trials
    before it came to, so that it tends to the value that the point is judged by.
    """

    def __init__(self, point: Point, report: Report) -> None:
        self.point = point
        self._report = report
        self._values: dict[str, float] = {}

    def decide(self, record: EpochRecord) -> bool:
        """Report an epoch; whether to go on. A stop that would save nothing is not taken."""
        value = record.metrics.get(self.point.metric)
        if value is None:
            return True
        index = self.point.trials.index(record.trial)
        step = index * self.point.epochs + record.epoch
        before = [self._values[trial] for trial in self.point.trials[:index] if trial in self._values]
        goes_on = self._report(self.point, step, fmean([*before, value]))
        return goes_on or not self.point.is_prunable or step >= len(self.point.trials) * self.point.epochs

    def finished(self, result: Result) -> None:
        """A trial of the point has its result."""
        value = result.best.get(self.point.metric)
        if value is not None:
            self._values[result.trial] = value

    def replay(self, history: list[EpochRecord], result: Result) -> None:
        """Report a finished trial as if it were trained now."""
        for record in history:
            self.decide(record)
        self.finished(result)
