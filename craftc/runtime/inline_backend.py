"""Runs jobs in the calling process, one after another: for debugging, and for tests that need no cluster."""

from collections.abc import Generator, Sequence
from functools import partial

from craftc.runtime.jobs.backend import BackendError, pick_device
from craftc.runtime.jobs.budget import within_budget
from craftc.runtime.jobs.decide import Report
from craftc.runtime.jobs.job_source import JobSource, Point, SearchContext, Work
from craftc.runtime.jobs.try_first import try_first
from craftc.runtime.jobs.until_decided import Decided, plan_source
from craftc.runtime.search.search_source import SearchSource
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.runtime.worker.own_code import make_importable
from craftc.runtime.worker.run_work import run_work
from craftc.runtime.worker.try_trials import with_trials_tried
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Event, TrialProposed


class InlineBackend:
    """A Backend without processes: `max_concurrent` means nothing to it, and a debugger stops where it should.

    `decided` says which variants need no more seeds; without it all planned seeds are trained."""

    def __init__(self, *, decided: Decided | None = None) -> None:
        self._decided = decided

    def run(
        self, plan: Plan, store: Store, search: SearchContext | None = None, to_try: Sequence[Trial] = ()
    ) -> Generator[Event, None, None]:
        """See Backend.run."""
        _check_workers(plan)
        make_importable(plan.import_folders)
        source, report = _open(plan, store, search, self._decided)
        source = try_first(within_budget(source, plan), to_try)
        # One job at a time, so there is never one to wait for.
        while isinstance(work := source.next(), Work):
            if work.is_proposed:
                yield from (TrialProposed(trial=trial) for trial in work.trials)
            device, cpus = pick_device(work.resources.gpu), work.resources.cpu
            run = partial(run_job, store=store, device=device, cpus=cpus)
            events = run_work(work, run, store=store, report=report)
            for event in with_trials_tried(work.to_try, events, store=store, device=device, cpus=cpus, scratch=None):
                source.told(event)
                yield event
            source.ended(work)
        yield from source.ending()


def _check_workers(plan: Plan) -> None:
    resources = [job.resources for job in plan.jobs] + ([plan.search.resources] if plan.search else [])
    most = max((request.workers for request in resources), default=1)
    if most > 1:
        message = (
            f"resources.workers is {most}, and the inline backend has one process; run it on Ray, or with workers: 1"
        )
        raise BackendError("workers-without-ray", message)


def _open(
    plan: Plan, store: Store, search: SearchContext | None, decided: Decided | None
) -> tuple[JobSource, Report | None]:
    if plan.search is None or search is None:
        return plan_source(plan, store, decided), None
    # Lazily: Optuna and its database layer take a second to import.
    from craftc.runtime.search.study import OptunaStudies

    studies = OptunaStudies(search.database, plan.name, plan.search)

    def report(point: Point, step: int, value: float) -> bool:
        return studies.report(point.study, point.number, step, value)

    return SearchSource(plan, store, studies, search.compile_point), report
