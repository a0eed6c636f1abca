"""Runs the jobs of a plan: writes every event to the journal, then passes it to the observers."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from craftc.runtime.jobs.backend import DISK_FULL, Backend, BackendError
from craftc.runtime.jobs.job_source import SearchContext
from craftc.runtime.observers.observer import Observer
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import (
    BudgetSpent,
    Result,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialStarted,
    TrialsWithheld,
    TrialTried,
)


@dataclass(frozen=True)
class Outcome:
    """The trials of the plan's jobs that ended, in the order in which they did. `budget`: others were not begun.
    `refused` are those that were tried and cannot be trained, for which nothing was."""

    finished: tuple[Result, ...]
    failed: tuple[TrialFailed, ...]
    budget: BudgetSpent | None = None
    refused: tuple[TrialFailed, ...] = ()


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
    to_try: Sequence[Trial] = (),
    warn: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Run the plan's jobs to their end. An end of a trial is in results.jsonl before anyone is told of it.

    Each trial of `to_try` is tried first. Where one cannot be trained, the run ends when all have been tried; `warn` is
    called once for each warning about them.

    A plan with a search needs `search`. Afterwards search.json is in the run folder, also of what was interrupted.

    Whatever ends this early, Ctrl-C above all, stops the backend and closes the observers, and is raised again; the run
    can then be resumed. Raises BackendError, `disk-full` where a trial's files could not be written, and what an
    observer raises that is not Shielded.
    """
    finished: list[Result] = []
    failed: list[TrialFailed] = []
    spent: BudgetSpent | None = None
    refused: list[TrialFailed] = []
    untried, warned = {trial.id for trial in to_try}, set[str]()
    with ExitStack() as stack:
        run_folder.forget_budget()
        journal = stack.enter_context(run_folder.journal())
        stack.callback(write_search, plan, run_folder)
        for observer in observers:
            stack.callback(observer.close)
            observer.start(plan, run_folder.run_name)
        for event in stack.enter_context(closing(backend.run(plan, store, search, to_try))):
            if isinstance(event, TrialTried):
                run_folder.write_log(_told_of(event, plan))
                if event.warning is not None and event.warning.message not in warned:
                    warned.add(event.warning.message)
                    warn(f"variant {plan.trial(event.trial).variant}: {event.warning.message}")
                untried.discard(event.trial)
                refused += [] if event.failure is None else [event.failure]
                # Of a process that died nothing more is heard.
                if refused and (not untried or refused[-1].code == "worker-died"):
                    break
                continue
            if isinstance(event, TrialStarted) and event.warning is not None:
                run_folder.write_log(f"trial {event.trial}: {event.warning}")
            if isinstance(event, TrialFinished):
                journal.write(event)
                finished.append(event.result)
            elif isinstance(event, TrialFailed):
                if event.code == DISK_FULL:
                    # It has not failed: with room, it goes on from its last epoch.
                    raise BackendError(DISK_FULL, event.message)
                journal.write(event)
                run_folder.write_log(f"trial {event.trial} failed: {event.message}\n{event.traceback}")
                failed.append(event)
            elif isinstance(event, TrialPruned):
                journal.write(event)
            elif isinstance(event, TrialsWithheld):
                run_folder.write_withheld(event)
            elif isinstance(event, BudgetSpent):
                run_folder.write_budget(event)
                spent = event
            for observer in observers:
                observer.event(event)
    return Outcome(tuple(finished), tuple(failed), spent, tuple(refused))


def _told_of(tried: TrialTried, plan: Plan) -> str:
    """What the log says of a trial that was tried."""
    name = f"variant {plan.trial(tried.trial).variant}"
    if tried.failure is not None:
        return f"{name} cannot be trained: [{tried.failure.code}] {tried.failure.message}\n{tried.failure.traceback}"
    if tried.seconds == 0:
        return f"{name} was not tried: others took too long"
    warned = f", and {tried.warning.message}" if tried.warning else ""
    return f"{name} was tried, two steps and an evaluation, in {tried.seconds:.2f} s{warned}"
