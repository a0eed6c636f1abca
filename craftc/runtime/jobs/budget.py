"""A source of jobs and a budget in; the same source, which hands out no more jobs once that is spent, out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from craftc.runtime.jobs.job_source import JobSource, Left, Work
from craftc.schemas.plan import Plan
from craftc.schemas.result import (
    BudgetSpent,
    EpochEnded,
    EpochRecord,
    Event,
    Result,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialStarted,
)

Clock = Callable[[], float]
"""Seconds, counted from anywhere."""


def within_budget(source: JobSource, plan: Plan) -> JobSource:
    """The source itself where the plan has no budget."""
    return source if plan.budget_hours is None else BudgetSource(source, plan.budget_hours)


@dataclass
class _Training:
    """What is known of a training: its last epoch, and since when the next is under way; None where none is."""

    workers: int
    epoch: int = 0
    since: float | None = None


class BudgetSource:
    """See JobSource. What was handed out runs to its end, so a run may spend more than its budget.

    Spent are the seconds of every epoch that was trained, times the workers that trained it, and what has passed
    of those that are being trained when the next job is asked for.
    """

    def __init__(self, source: JobSource, budget_hours: float, clock: Clock = time.monotonic) -> None:
        self._source = source
        self._budget_hours = budget_hours
        self._clock = clock
        self._measured_s = 0.0
        self._trainings: dict[str, _Training] = {}
        self._is_spent = False

    def next(self) -> Work | Literal["wait"] | None:
        """See JobSource.next."""
        if self._is_spent or self.spent_hours() >= self._budget_hours:
            self._is_spent = True
            return None
        work = self._source.next()
        if isinstance(work, Work):
            trainings = {trial.shares or trial.id: _Training(work.resources.workers) for trial in work.trials}
            self._trainings |= {trial.id: trainings[trial.shares or trial.id] for trial in work.trials}
        return work

    def told(self, event: Event) -> None:
        """See JobSource.told."""
        match event:
            case TrialStarted(trial=trial, epoch=epoch):
                self._trainings[trial].epoch = epoch
                self._trainings[trial].since = self._clock()
            case EpochEnded(record=record):
                self._count(self._trainings[record.trial], record)
            case TrialFinished(result=Result(trial=trial)) | TrialFailed(trial=trial) | TrialPruned(trial=trial):
                self._trainings[trial].since = None
        self._source.told(event)

    def _count(self, training: "_Training", record: EpochRecord) -> None:
        training.since = self._clock()
        # Trials that share a training each tell of its epochs.
        if record.epoch > training.epoch:
            training.epoch = record.epoch
            self._measured_s += record.seconds * training.workers

    def ended(self, work: Work) -> None:
        """See JobSource.ended."""
        for trial in work.trials:
            self._trainings[trial.id].since = None
        self._source.ended(work)

    def left(self) -> Left:
        """See JobSource.left."""
        return self._source.left()

    def ending(self) -> Sequence[Event]:
        """See JobSource.ending."""
        left = self.left()
        if not self._is_spent or left == Left():
            return self._source.ending()
        spent = BudgetSpent(
            budget_hours=self._budget_hours,
            spent_hours=self.spent_hours(),
            trials=tuple(trial.id for trial in left.trials),
            num_points=left.num_points,
        )
        return (*self._source.ending(), spent)

    def spent_hours(self) -> float:
        """Hours of training so far, times workers."""
        now = self._clock()
        trainings = {id(training): training for training in self._trainings.values()}.values()
        under_way = sum((now - each.since) * each.workers for each in trainings if each.since is not None)
        return (self._measured_s + under_way) / 3600
