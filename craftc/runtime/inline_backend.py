"""Jobs run in the calling process, one after another: for debugging, and for tests that need no cluster."""

from collections.abc import Generator

from craftc.runtime.backend import pick_device, trials_of
from craftc.runtime.job import run_job
from craftc.runtime.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import Event


class InlineBackend:
    """A Backend without processes: `max_concurrent` means nothing to it, and a debugger stops where it should."""

    def run(self, plan: Plan, store: Store) -> Generator[Event, None, None]:
        """See Backend.run."""
        for job in plan.jobs:
            device = pick_device(job.resources.gpu)
            yield from run_job(trials_of(plan, job), store=store, device=device, cpus=job.resources.cpu)
