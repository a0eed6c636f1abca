"""Keeps the studies of a search in a named Ray actor: the driver asks it for points, workers report values to it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from craftc.runtime.jobs.decide import Report
from craftc.runtime.jobs.job_source import Point
from craftc.runtime.search.search_source import PointEnd
from craftc.schemas.plan import Plan


class RemoteStudies:
    """See Studies. `name` is the actor's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._actor: Any = ray.get_actor(name)

    def ask(self, study: str) -> tuple[int, dict[str, Any]]:
        """See Studies.ask."""
        number, params = ray.get(self._actor.ask.remote(study))
        return int(number), dict(params)

    def begin(self, study: str, number: int | None, params: dict[str, Any], trials: list[str], planned: int) -> int:
        """See Studies.begin."""
        return int(ray.get(self._actor.begin.remote(study, number, params, trials, planned)))

    def report(self, study: str, number: int, step: int, value: float) -> bool:
        """See Studies.report."""
        return bool(ray.get(self._actor.report.remote(study, number, step, value)))

    def tell(self, study: str, number: int, end: PointEnd) -> None:
        """See Studies.tell."""
        ray.get(self._actor.tell.remote(study, number, end))


@contextmanager
def study_actor(database: Path, plan: Plan) -> Iterator[RemoteStudies]:
    """Start the actor on the driver's machine, where the run folder's file is, and end it afterwards."""
    # Lazily: Optuna and its database layer take a second to import, in a driver that only passes messages.
    from craftc.runtime.search.study import OptunaStudies

    name = f"craftc-study-{uuid.uuid4().hex}"
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Begun again where its process dies: what it was told is in the file.
    actor: Any = (
        ray.remote(OptunaStudies)
        .options(name=name, num_cpus=0, scheduling_strategy=here, max_restarts=3, max_task_retries=1)
        .remote(database.absolute(), plan.name, plan.search)
    )
    try:
        yield RemoteStudies(name)
    finally:
        ray.kill(actor)


def reporter_to(name: str) -> Report:
    """In a worker: what passes a point's values on to the actor of that name."""
    studies = RemoteStudies(name)

    def report(point: Point, step: int, value: float) -> bool:
        return studies.report(point.study, point.number, step, value)

    return report
