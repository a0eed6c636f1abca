"""Where a backend's jobs come from, one by one: the plan, or a search that decides on the next by what it was told."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from craftc.schemas.frozen import Frozen, List
from craftc.schemas.plan import JobResources, Plan, Trial
from craftc.schemas.result import Event

if TYPE_CHECKING:
    # A process that trains needs no compiler.
    from craftc.compiler.compile_point import CompiledPoint

WAIT: Literal["wait"] = "wait"


class Point(Frozen):
    """What a job reports to: trial `number` of the Optuna study `study`, trained by `trials`, one per seed, in order.

    What is reported is `metric`; `epochs` is the most that one trial takes, None where that is not known. Without
    `is_prunable` nobody stops it.
    """

    study: str
    number: int
    trials: List[str]
    metric: str
    epochs: int | None
    is_prunable: bool


class Work(Frozen):
    """A job with all that a process needs to run it. `is_proposed`: its trials are not in the plan. `to_try` are
    trials that its process, or another that has them too, tries before it trains anything."""

    trials: List[Trial]
    resources: JobResources
    point: Point | None = None
    is_proposed: bool = False
    to_try: List[Trial] = ()


class JobSource(Protocol):
    """Hands out jobs, and is told of every event before anyone else. Called from one thread at a time."""

    def next(self) -> Work | Literal["wait"] | None:
        """The next job; "wait" while only a job that runs can bring more; None once there are no more."""
        ...

    def told(self, event: Event) -> None:
        """Something happened."""
        ...

    def ended(self, work: Work) -> None:
        """A job is over, and not to be begun again."""
        ...

    def left(self) -> "Left":
        """What it would still hand out."""
        ...

    def ending(self) -> Sequence[Event]:
        """What is told once no job runs any more."""
        ...


@dataclass(frozen=True)
class Left:
    """Trials of the plan that were not handed out, and the number of points that a search has yet to propose."""

    trials: tuple[Trial, ...] = ()
    num_points: int = 0


class PlanSource:
    """The plan's own jobs, in its order."""

    def __init__(self, plan: Plan) -> None:
        self._waiting = deque(works_of(plan))

    def next(self) -> Work | Literal["wait"] | None:
        """See JobSource.next."""
        return self._waiting.popleft() if self._waiting else None

    def told(self, event: Event) -> None:
        """See JobSource.told."""

    def ended(self, work: Work) -> None:
        """See JobSource.ended."""

    def left(self) -> Left:
        """See JobSource.left."""
        return Left(tuple(trial for work in self._waiting for trial in work.trials))

    def ending(self) -> Sequence[Event]:
        """See JobSource.ending."""
        return ()


def works_of(plan: Plan) -> list[Work]:
    """The jobs of a plan, with their trials."""
    return [
        Work(trials=tuple(plan.trial(trial_id) for trial_id in job.trials), resources=job.resources)
        for job in plan.jobs
    ]


CompilePoint = Callable[[str, Mapping[str, Any], int], "CompiledPoint"]
"""A variant, the values of its searched paths and the point's number to the point's trials."""


@dataclass(frozen=True)
class SearchContext:
    """What a backend needs of a search beside the plan: the file of its studies, and the compiler."""

    database: Path
    compile_point: CompilePoint
