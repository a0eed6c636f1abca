"""Runs the jobs of a plan: writes every event to the journal, then passes it to the observers."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from craftc.runtime.jobs.backend import Backend
from craftc.runtime.jobs.job_source import SearchContext
from craftc.runtime.observers.observer import Observer
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import BudgetSpent, Result, TrialFailed, TrialFinished, TrialPruned


@dataclass(frozen=True)
class Outcome:
    """The trials of the plan's jobs that ended, in the order in which they did. `budget`: others were not begun."""

    finished: tuple[Result, ...]
    failed: tuple[TrialFailed, ...]
    budget: BudgetSpent | None = None


def write_search(plan: Plan, run_folder: RunFolder) -> None:
    """Write what a search came to into search.json."""
    if plan.search is None or not run_folder.database.exists():
        return  # nothing to tell: a search that was ended before it began
    # Lazily: Optuna and its database layer take a second to import.
    from craftc.runtime.search.summarise import summarise

    run_folder.write_search(summarise(run_folder.database, plan))


def execute(
    plan: Plan,
    *,
    store: Store,
    backend: Backend,
    observers: Sequence[Observer],
    run_folder: RunFolder,
    search: SearchContext | None = None,
) -> Outcome:
    """Run the plan's jobs to their end. An end of a trial is in results.jsonl before anyone is told of it.

    A plan with a search needs `search`. Afterwards search.json is in the run folder, also of what was interrupted.

    Whatever ends this early, Ctrl-C above all, stops the backend and closes the observers, and is raised again; the run
    can then be resumed. Raises BackendError, and what an observer raises that is not Shielded.
    """
    finished: list[Result] = []
    failed: list[TrialFailed] = []
    spent: BudgetSpent | None = None
    with ExitStack() as stack:
        run_folder.forget_budget()
        journal = stack.enter_context(run_folder.journal())
        stack.callback(write_search, plan, run_folder)
        for observer in observers:
            stack.callback(observer.close)
            observer.start(plan, run_folder.run_name)
        for event in stack.enter_context(closing(backend.run(plan, store, search))):
            if isinstance(event, TrialFinished):
                journal.write(event)
                finished.append(event.result)
            elif isinstance(event, TrialFailed):
                journal.write(event)
                run_folder.write_log(f"trial {event.trial} failed: {event.message}\n{event.traceback}")
                failed.append(event)
            elif isinstance(event, TrialPruned):
                journal.write(event)
            elif isinstance(event, BudgetSpent):
                run_folder.write_budget(event)
                spent = event
            for observer in observers:
                observer.event(event)
    return Outcome(tuple(finished), tuple(failed), spent)
