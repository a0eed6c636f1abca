"""Jobs run by Ray Tune: a plan and a store in, events out; a job is a Tune trial in a worker process that is reused."""

import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from craftc.runtime.backend import absolute
from craftc.runtime.budget import within_budget
from craftc.runtime.job_source import PlanSource
from craftc.runtime.ray_environment import ray_environment
from craftc.runtime.ray_project import SentCode, sent_code
from craftc.runtime.ray_token import show_token
from craftc.runtime.search_source import SearchContext, SearchSource
from craftc.runtime.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import Event

STOP_TIMEOUT_S = 3.0
"""How long Tune has to end its jobs; after that Ray is taken from under it."""


class RayBackend:
    """A Backend on a private Ray, or on the cluster at `address`.

    The store must be in the same place on every machine of the cluster, which is checked first. A job whose process
    dies is begun once more with its unfinished trials; if that dies too, they are TrialFailed with code `worker-died`.
    """

    def __init__(self, address: str | None = None, *, scratch: Path | None = None) -> None:
        """`scratch`: a folder that every machine of the cluster sees, for Tune's own files; by default the store."""
        self._address = address
        self._scratch = scratch

    def run(self, plan: Plan, store: Store, search: SearchContext | None = None) -> Generator[Event, None, None]:
        """See Backend.run."""
        if not plan.jobs and plan.search is None:
            return
        if self._address is not None:
            show_token()
        with ray_environment():
            # Lazily: Ray and Tune take 2 s to import, and a plan without jobs has no use for them.
            from craftc.runtime.ray_cluster import check_placement, connected_ray, num_slots
            from craftc.runtime.ray_shared import check_machines
            from craftc.runtime.ray_tune import prestarted_workers

            store = absolute(store)
            requests = [job.resources for job in plan.jobs] + ([plan.search.resources] if plan.search else [])
            with ExitStack() as stack:
                code = SentCode(plan.import_folders)
                if self._address is not None:
                    code = stack.enter_context(sent_code(plan.import_folders, store.root.parent))
                shared = self._scratch or store.root
                connected = connected_ray(self._address, shared=shared, runtime_env=code.runtime_env)
                folder = stack.enter_context(connected)
                if self._address is not None:
                    check_machines(store.root)
                check_placement(requests)
                max_concurrent = plan.max_concurrent
                if self._address is None:
                    # Nobody joins a private Ray.
                    max_concurrent = min(num_slots(requests), max_concurrent or sys.maxsize)
                    stack.enter_context(prestarted_workers())
                yield from _events(plan, store, search, folder, code.import_folders, max_concurrent)


def _events(
    plan: Plan,
    store: Store,
    search: SearchContext | None,
    folder: Path,
    import_folders: tuple[str, ...],
    max_concurrent: int | None,
) -> Iterator[Event]:
    """Tune blocks until it is done, so it gets a thread of its own."""
    from craftc.runtime.ray_feed import JobFeed
    from craftc.runtime.ray_job import JobSetting
    from craftc.runtime.ray_study import study_actor
    from craftc.runtime.ray_tune import tune_jobs

    with ExitStack() as stack:
        setting = JobSetting(str(store.root), str(folder), import_folders=import_folders)
        if plan.search is None or search is None:
            feed = JobFeed(within_budget(PlanSource(plan), plan), setting)
        else:
            studies = stack.enter_context(study_actor(search.database, plan))
            source = within_budget(SearchSource(plan, store, studies, search.propose), plan)
            feed = JobFeed(source, replace(setting, study=studies.name))
        thread = threading.Thread(target=tune_jobs, args=(feed, folder, max_concurrent), daemon=True)
        thread.start()
        try:
            yield from feed.events()
        finally:
            feed.stop()
            thread.join(STOP_TIMEOUT_S)
