"""Jobs run in the calling process, one after another: for debugging, and for tests that need no cluster."""

from collections.abc import Generator

from craftc.runtime.backend import pick_device
from craftc.runtime.job_source import JobSource, PlanSource, Point, Work
from craftc.runtime.run_work import Report, run_work
from craftc.runtime.search_source import SearchContext, SearchSource
from craftc.runtime.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import Event, TrialProposed


class InlineBackend:
    """A Backend without processes: `max_concurrent` means nothing to it, and a debugger stops where it should."""

    def run(self, plan: Plan, store: Store, search: SearchContext | None = None) -> Generator[Event, None, None]:
        """See Backend.run."""
        source, report = _open(plan, store, search)
        # One job at a time, so there is never one to wait for.
        while isinstance(work := source.next(), Work):
            if work.is_proposed:
                yield from (TrialProposed(trial=trial) for trial in work.trials)
            device = pick_device(work.resources.gpu)
            for event in run_work(work, store=store, device=device, cpus=work.resources.cpu, report=report):
                source.told(event)
                yield event
            source.ended(work)


def _open(plan: Plan, store: Store, search: SearchContext | None) -> tuple[JobSource, Report | None]:
    if plan.search is None or search is None:
        return PlanSource(plan), None
    # Lazily: Optuna and its database layer take a second to import.
    from craftc.runtime.study import OptunaStudies

    studies = OptunaStudies(search.database, plan.name, plan.search)

    def report(point: Point, step: int, value: float) -> bool:
        return studies.report(point.study, point.number, step, value)

    return SearchSource(plan, store, studies, search.propose), report
