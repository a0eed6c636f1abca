"""Hands out the jobs of a search: the plan's own first, then what the study proposes and the compiler accepts."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, NamedTuple, Protocol

from craftc.runtime.jobs.decide import Reporter
from craftc.runtime.jobs.job_source import WAIT, CompilePoint, Left, Point, Work, works_of
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, SearchPlan, Trial
from craftc.schemas.result import Event, Result, TrialFailed, TrialFinished, TrialPruned

MAX_INFEASIBLE_PER_TRIAL = 20
"""How many proposals may be refused for each that is asked for, before a study is given up."""


class Studies(Protocol):
    """The Optuna studies of a run, one for each searched variant, wherever they live."""

    def ask(self, study: str) -> tuple[int, dict[str, Any]]:
        """A new point: its number and the value of each searched path."""
        ...

    def begin(self, study: str, number: int | None, params: dict[str, Any], trials: list[str], planned: int) -> int:
        """Note what a point is trained by, and its number; a point that was not asked for (None) gets one."""
        ...

    def report(self, study: str, number: int, step: int, value: float) -> bool:
        """Take a value of a point at a step; whether to go on."""
        ...

    def tell(self, study: str, number: int, end: "PointEnd") -> None:
        """The end of a point."""
        ...


class PointEnd(NamedTuple):
    """How a point ended, its value, and why it has none; the epochs that its trials were trained, and those that
    pruning and early stopping saved."""

    state: Literal["finished", "pruned", "failed", "infeasible"]
    value: float | None = None
    reason: str = ""
    trained: int = 0
    saved: int = 0


@dataclass
class _Running:
    """A point that has no end yet, and what its trials came to."""

    point: Point
    results: dict[str, Result] = field(default_factory=dict)
    ends: dict[str, Event] = field(default_factory=dict)


class SearchSource:
    """See JobSource. The studies take turns, so that none runs far ahead of what it has been told."""

    def __init__(self, plan: Plan, store: Store, studies: Studies, compile_point: CompilePoint) -> None:
        assert plan.search is not None
        self._search: SearchPlan = plan.search
        self._plan = plan
        self._studies = studies
        self._compile_point = compile_point
        self._store = store
        self._fixed = deque(works_of(plan))
        self._num_trained = dict.fromkeys(plan.search.variants, 0)
        self._num_refused = dict.fromkeys(plan.search.variants, 0)
        self._running: dict[tuple[str, int], _Running] = {}
        self._tell_of_finished_starts()

    def next(self) -> Work | Literal["wait"] | None:
        """See JobSource.next."""
        if self._fixed:
            return self._start(self._fixed.popleft())
        while (study := self._least_trained()) is not None:
            number, params = self._studies.ask(study)
            proposal = self._compile_point(study, params, number)
            if proposal.trials:
                self._num_trained[study] += 1
                return self._proposed(study, number, params, proposal.trials)
            self._num_refused[study] += 1
            self._studies.begin(study, number, params, [], 0)
            self._studies.tell(study, number, PointEnd("infeasible", reason="; ".join(proposal.problems)))
        return WAIT if self._running else None

    def told(self, event: Event) -> None:
        """See JobSource.told."""
        match event:
            case TrialFinished(result=result):
                self._trial_ended(result.trial, event)
            case TrialFailed(trial=trial) | TrialPruned(trial=trial):
                self._trial_ended(trial, event)

    def ended(self, work: Work) -> None:
        """See JobSource.ended."""
        if work.point is not None:
            self._point_ended(work.point)

    def left(self) -> Left:
        """See JobSource.left."""
        points = sum(
            self._search.trials - number for study, number in self._num_trained.items() if self._is_open(study)
        )
        return Left(tuple(trial for work in self._fixed for trial in work.trials), points)

    def ending(self) -> Sequence[Event]:
        """See JobSource.ending."""
        return ()

    def _least_trained(self) -> str | None:
        return min(filter(self._is_open, self._search.variants), key=self._num_trained.__getitem__, default=None)

    def _is_open(self, study: str) -> bool:
        most = self._search.trials
        given_up = self._num_refused[study] > MAX_INFEASIBLE_PER_TRIAL * most
        return self._num_trained[study] < most and not given_up

    def _start(self, work: Work) -> Work:
        """A job of the plan. That of a searched variant is the starting point of its study."""
        variant = next((name for name in self._search.variants if name in _names(work.trials[0])), None)
        if variant is None:
            return work
        trials = starting_point(self._plan, variant)
        point = self._begin(variant, None, {}, trials, is_prunable=False)
        begun = {trial.id for trial in work.trials}
        self._tell_of_finished([trial for trial in trials if trial.id not in begun])
        return work.model_copy(update={"point": point})

    def _proposed(self, study: str, number: int, params: dict[str, Any], trials: tuple[Trial, ...]) -> Work:
        point = self._begin(study, number, params, trials, is_prunable=True)
        return Work(trials=trials, resources=self._search.resources, point=point, is_proposed=True)

    def _begin(
        self, study: str, number: int | None, params: dict[str, Any], trials: tuple[Trial, ...], *, is_prunable: bool
    ) -> Point:
        epochs = trials[0].epochs
        ids = [trial.id for trial in trials]
        if number is None:
            params = {path: self._value_at_start(trials[0], path) for path in self._search.space}
        number = self._studies.begin(study, number, params, ids, (epochs or 0) * len(ids))
        point = Point(
            study=study,
            number=number,
            trials=tuple(ids),
            metric=self._search.metric,
            epochs=epochs,
            is_prunable=is_prunable,
        )
        self._running[study, number] = _Running(point)
        return point

    def _value_at_start(self, trial: Trial, path: str) -> Any:
        return trial.overrides.get(path, self._plan.factors.get(path))

    def _tell_of_finished_starts(self) -> None:
        """Starting points that need no job, since the store has all their results."""
        planned = {trial.id for work in self._fixed for trial in work.trials}
        for variant in self._search.variants:
            trials = starting_point(self._plan, variant)
            if any(trial.id in planned for trial in trials):
                continue
            reporter = Reporter(self._begin(variant, None, {}, trials, is_prunable=False), self.report)
            for trial in trials:
                reporter.replay(self._store.history(trial.id), self._store.result(trial.id))
            self._tell_of_finished(trials)
            self._point_ended(reporter.point)

    def _tell_of_finished(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._trial_ended(trial.id, TrialFinished(result=self._store.result(trial.id), reused=True))

    def report(self, point: Point, step: int, value: float) -> bool:
        """Pass a value of a point on to its study."""
        return self._studies.report(point.study, point.number, step, value)

    def _trial_ended(self, trial: str, event: Event) -> None:
        for running in self._running.values():
            if trial in running.point.trials:
                running.ends[trial] = event
                if isinstance(event, TrialFinished):
                    running.results[trial] = event.result

    def _point_ended(self, point: Point) -> None:
        """Tell the study of a point whose job is over, and has therefore reported all that it will."""
        running = self._running.pop((point.study, point.number))
        trained = sum(self._num_trained_epochs(trial, running.ends.get(trial)) for trial in point.trials)
        saved = sum(map(_num_saved_epochs, running.ends.values()))
        self._studies.tell(point.study, point.number, self._end(running)._replace(trained=trained, saved=saved))

    def _end(self, running: _Running) -> PointEnd:
        """Without its epochs."""
        ends = running.ends.values()
        if len(ends) < len(running.point.trials):
            return PointEnd("failed", reason="its job ended before its trials did")
        failure = next((event for event in ends if isinstance(event, TrialFailed)), None)
        if failure is not None:
            return PointEnd("failed", reason=f"[{failure.code}] {failure.message}")
        if any(isinstance(event, TrialPruned) for event in ends):
            return PointEnd("pruned")
        values = [result.best.get(self._search.metric) for result in running.results.values()]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return PointEnd("failed", reason=f"{self._search.metric} is not a finite number at the selected epoch")
        return PointEnd("finished", fmean(known))

    def _num_trained_epochs(self, trial: str, end: Event | None) -> int:
        match end:
            case TrialFinished(result=result):
                return result.epochs_trained
            case TrialPruned(epoch=epoch):
                return epoch
        return len(self._store.history(trial))


def _num_saved_epochs(end: Event) -> int:
    """What early stopping saved of a finished trial, and the pruner of a pruned one, as far as it is known what they
    had before them. A failure saves nothing."""
    match end:
        case TrialFinished(result=result) if result.epochs_planned is not None:
            return result.epochs_planned - result.epochs_trained
        case TrialPruned(epoch=epoch, epochs_planned=int() as planned, reason="pruner"):
            return planned - epoch
    return 0


def starting_point(plan: Plan, variant: str) -> tuple[Trial, ...]:
    """The plan's own trials of a variant, one per seed."""
    return tuple(trial for trial in plan.trials if variant in _names(trial))


def _names(trial: Trial) -> tuple[str, ...]:
    return (trial.variant, *trial.aliases)
