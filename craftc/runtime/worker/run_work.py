"""A job in, its events out: what every backend runs in the process that trains."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from craftc.runtime.jobs.decide import Decide, Report, Reporter, go_on
from craftc.runtime.jobs.job_source import Work
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialFailed, TrialFinished, TrialPruned


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
    return TrialPruned.model_validate({"trial": trial.id, "epoch": 0, "epochs_planned": trial.epochs, "reason": reason})
