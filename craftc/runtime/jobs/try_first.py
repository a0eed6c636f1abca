"""A source of jobs and trials to be tried in; the same source, whose first jobs try them before they train, out."""

from collections.abc import Sequence
from typing import Literal

from craftc.runtime.jobs.job_source import JobSource, Left, Work
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialTried


def try_first(source: JobSource, to_try: Sequence[Trial]) -> JobSource:
    """The source itself where there is nothing to try."""
    return TryFirst(source, to_try) if to_try else source


class TryFirst:
    """See JobSource. Every job carries the trials of which it is not known yet whether they can be trained; the
    processes share them out. Once one cannot, there are no more jobs."""

    def __init__(self, source: JobSource, to_try: Sequence[Trial]) -> None:
        self._source = source
        self._untried = {trial.id: trial for trial in to_try}
        self._has_failed = False

    def next(self) -> Work | Literal["wait"] | None:
        """See JobSource.next."""
        if self._has_failed:
            return None
        work = self._source.next()
        if isinstance(work, Work) and self._untried:
            return work.model_copy(update={"to_try": tuple(self._untried.values())})
        return work

    def told(self, event: Event) -> None:
        """See JobSource.told."""
        if isinstance(event, TrialTried):
            self._untried.pop(event.trial, None)
            self._has_failed = self._has_failed or event.failure is not None
        else:
            self._source.told(event)

    def ended(self, work: Work) -> None:
        """See JobSource.ended."""
        self._source.ended(work)

    def left(self) -> Left:
        """See JobSource.left."""
        return self._source.left()

    def ending(self) -> Sequence[Event]:
        """See JobSource.ending."""
        return () if self._has_failed else self._source.ending()
