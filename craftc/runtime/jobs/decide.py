"""Whether a trial goes on after an epoch: a job asks after each, and a search's study may answer no."""

from collections.abc import Callable
from statistics import fmean

from craftc.runtime.jobs.job_source import Point
from craftc.schemas.result import EpochRecord, Result

Decide = Callable[[EpochRecord], bool]
"""Asked after each epoch of a trial, in order: whether to go on."""


def go_on(record: EpochRecord) -> bool:
    """Let every trial go on."""
    return True


Report = Callable[[Point, int, float], bool]
"""Reports a point's value at a step to its study; returns whether to go on."""


class Reporter:
    """Reports the epochs of a point's trials to the study as values of the point.

    Step: `index of the trial * epochs + epoch`; where the number of epochs is not known, the records of the trials
    before it, plus `epoch`. Value: the mean of the metric at that epoch and of what the trials before it came to, so
    that it tends to the value that the point is judged by.
    """

    def __init__(self, point: Point, report: Report) -> None:
        self.point = point
        self._report = report
        self._values: dict[str, float] = {}
        self._num_records: dict[str, int] = {}

    def decide(self, record: EpochRecord) -> bool:
        """Report an epoch; whether to go on. A stop that would save nothing is not taken."""
        self._num_records[record.trial] = max(record.epoch, self._num_records.get(record.trial, 0))
        value = record.metrics.get(self.point.metric)
        if value is None:
            return True
        index = self.point.trials.index(record.trial)
        step = self._num_before(index) + record.epoch
        before = [self._values[trial] for trial in self.point.trials[:index] if trial in self._values]
        goes_on = self._report(self.point, step, fmean([*before, value]))
        return goes_on or not self.point.is_prunable or self._is_last(step)

    def _num_before(self, index: int) -> int:
        if self.point.epochs is not None:
            return index * self.point.epochs
        return sum(self._num_records.get(trial, 0) for trial in self.point.trials[:index])

    def _is_last(self, step: int) -> bool:
        return self.point.epochs is not None and step >= len(self.point.trials) * self.point.epochs

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


def watched_by(decide: Decide) -> str | None:
    """The metric that a Reporter's `decide` reports; None of any other."""
    reporter = getattr(decide, "__self__", None)
    return reporter.point.metric if isinstance(reporter, Reporter) else None
