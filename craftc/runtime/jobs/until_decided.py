"""Hands out the jobs of a plan look by look: the next seeds go to the variants that the last look left undecided."""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from craftc.runtime.jobs.job_source import WAIT, JobSource, Left, PlanSource, Work, works_of
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Event, Result, TrialFailed, TrialFinished, TrialsWithheld

Decided = Callable[[Plan, Mapping[str, Result], Mapping[str, TrialFailed]], Collection[str]]
"""The variants of a plan that need no more seeds, by what its trials came to so far."""


def plan_source(plan: Plan, store: Store, decided: Decided | None) -> JobSource:
    """The plan's jobs, in its order; look by look where it adds seeds until variants are decided."""
    if not plan.analysis_plan.looks or decided is None:
        return PlanSource(plan)
    return UntilDecided(plan, store, decided)


class UntilDecided:
    """See JobSource. A look waits for every trial before it, so that what is decided does not depend on which ends
    first, and a run that is taken up again decides alike."""

    def __init__(self, plan: Plan, store: Store, decided: Decided) -> None:
        self._plan = plan
        self._decided = decided
        self._looks: list[deque[Work]] = [deque() for _ in plan.analysis_plan.looks]
        for work in works_of(plan):
            self._looks[plan.look_of(work.trials[0])].append(work)
        self._look = 0
        self._running: set[str] = set()
        self._results = {trial.id: store.result(trial.id) for trial in plan.trials if trial.status == "reused"}
        self._failures: dict[str, TrialFailed] = {}
        self._withheld: list[str] = []

    def next(self) -> Work | Literal["wait"] | None:
        """See JobSource.next."""
        while not self._looks[self._look]:
            if self._running:
                return WAIT
            if self._look == len(self._looks) - 1:
                return None
            self._look_at_results()
        work = self._looks[self._look].popleft()
        self._running |= {trial.id for trial in work.trials}
        return work

    def told(self, event: Event) -> None:
        """See JobSource.told."""
        match event:
            case TrialFinished(result=result):
                self._results[result.trial] = result
                self._running.discard(result.trial)
            case TrialFailed(trial=trial):
                self._failures[trial] = event
                self._running.discard(trial)

    def ended(self, work: Work) -> None:
        """See JobSource.ended."""
        self._running -= {trial.id for trial in work.trials}

    def left(self) -> Left:
        """See JobSource.left."""
        return Left(tuple(trial for look in self._looks for work in look for trial in work.trials))

    def ending(self) -> Sequence[TrialsWithheld]:
        """See JobSource.ending."""
        return (TrialsWithheld(trials=tuple(self._withheld)),) if self._withheld else ()

    def _look_at_results(self) -> None:
        """Go on to the next seeds, without those of variants that are decided by the ones before."""
        seen = {trial.id for trial in self._plan.trials if self._plan.look_of(trial) <= self._look}
        results = {trial: result for trial, result in self._results.items() if trial in seen}
        decided = frozenset(self._decided(self._plan, results, self._failures))
        self._look += 1
        works = deque[Work]()
        for work in self._looks[self._look]:
            kept = _needed(work.trials, decided)
            self._withheld += [trial.id for trial in work.trials if trial not in kept]
            if kept:
                works.append(work.model_copy(update={"trials": kept}))
        self._looks[self._look] = works


def withheld_of(plan: Plan, store: Store, decided: Decided) -> TrialsWithheld | None:
    """The trials that a run of the plan would withhold, where it has nothing to train; None where it has."""
    source = UntilDecided(plan, store, decided)
    if source.next() is not None:
        return None
    return TrialsWithheld(trials=tuple(trial for event in source.ending() for trial in event.trials))


def _needed(trials: Sequence[Trial], decided: frozenset[str]) -> tuple[Trial, ...]:
    """Those of which some variant is undecided, and those in whose training one of them is trained along."""
    undecided = [trial for trial in trials if not decided.issuperset((trial.variant, *trial.aliases))]
    ids = {trial.id for trial in undecided} | {trial.shares for trial in undecided}
    return tuple(trial for trial in trials if trial.id in ids)
