"""Writes the study of a plan's own trials while the run goes on, in a thread that imports Optuna and asks it to."""

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from craftc.disk_full import is_disk_full
from craftc.runtime.observers.observer import Warn, describe
from craftc.runtime.search.earlier_study import copy_earlier_study, seal_study
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import EpochEnded, Event, TrialFailed, TrialFinished

PATIENCE_S = 2.0
"""How long the end of a run waits for the study without saying so."""


class StudyWriter:
    """An observer of the run, and a context: when it is left, all finished trials of the plan are in study.db.

    To import Optuna and make its tables takes a second, and each point some 10 ms. So the thread begins with the first
    epoch that is recorded, when this process has imported what it trains with, and adds each variant when its last
    trial is finished. That of a search begins at the end, behind all that was proposed. What the thread cannot do is
    one warning, but for a full disk, which is raised. A run that is interrupted before its thread began writes no
    study: it has nothing new to add.
    """

    def __init__(self, plan: Plan, store: Store, run_folder: RunFolder, *, warn: Warn, say: Warn) -> None:
        """`say` is given a sentence where the end takes long. Both are called in the thread that leaves the context."""
        self._plan, self._store, self._run_folder = plan, store, run_folder
        self._warn, self._say = warn, say
        self._variants = {trial.id: trial.variant for trial in plan.trials}
        self._failed: set[str] = set()
        self._finished: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="craftc-study", daemon=True)
        self._is_abandoned = threading.Event()
        self._is_over = threading.Event()
        self._error: Exception | None = None

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""

    def event(self, event: Event) -> None:
        """See Observer.event."""
        if isinstance(event, TrialFailed):
            self._failed.add(event.trial)
        if self._plan.search is not None:
            return
        if isinstance(event, TrialFinished) and event.result.trial in self._variants:
            self._finished.put(self._variants[event.result.trial])
        if isinstance(event, EpochEnded | TrialFinished):
            self._begin()

    def close(self) -> None:
        """See Observer.close. The thread goes on until the context is left."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_begun = self._thread.ident is not None
        if self._plan.search is not None:
            is_due = self._run_folder.database.exists() and self._has_more_than_searched()
        else:
            is_due = is_begun or (kind is None and bool(self._plan.trials) and not self._is_copied())
        if is_due:
            self._begin()
            self._wait(is_interrupted=kind is not None)

    def _has_more_than_searched(self) -> bool:
        assert self._plan.search is not None
        return any(variant not in self._plan.search.variants for variant in self._variants.values())

    def _is_copied(self) -> bool:
        is_reused = all(trial.status == "reused" for trial in self._plan.trials)
        return is_reused and copy_earlier_study(self._run_folder, self._plan)

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _wait(self, *, is_interrupted: bool) -> None:
        """Have the thread come to its end. An interrupt ends it before the next point, and is raised again."""
        self._finished.put(None)
        try:
            # Python 3.11 forgets a thread whose join is interrupted, so the thread says itself that it is over.
            if not self._is_over.wait(PATIENCE_S) and not is_interrupted:
                self._say(f"writing {self._run_folder.database}; Ctrl-C leaves it incomplete")
            self._is_over.wait()
        except KeyboardInterrupt:
            self._is_abandoned.set()
            self._is_over.wait()
            raise
        finally:
            self._thread.join()
        if self._error is None:
            return
        if not is_disk_full(self._error):
            self._warn(f"{self._run_folder.database} is incomplete: {describe(self._error)}")
        elif not is_interrupted:
            raise self._error  # else the run is being ended by the same cause

    def _work(self) -> None:
        try:
            self._write()
        except Exception as error:
            # The boundary where whatever Optuna or the disk raises becomes a warning: all results are in the store.
            self._error = error
        finally:
            self._is_over.set()

    def _write(self) -> None:
        # Here, since this is what takes long.
        from craftc.runtime.search.plan_study import PlanStudy

        study = PlanStudy(self._run_folder.database, self._plan, self._store)
        try:
            for variant in self._variants_so_far():
                if self._is_abandoned.is_set():
                    break
                study.add(variant)
            is_complete = study.add_rest(self._is_abandoned.is_set, self._failed)
        finally:
            study.close()
        if is_complete and self._plan.search is None:
            seal_study(self._run_folder, self._plan)

    def _variants_so_far(self) -> Iterator[str]:
        """Those with reused trials, then those of each trial that finishes, until the run is over."""
        yield from dict.fromkeys(trial.variant for trial in self._plan.trials if trial.status == "reused")
        while (variant := self._finished.get()) is not None:
            yield variant
