"""Runs jobs by Ray Tune: each job is a Tune trial, in a worker process that is used again for the next one."""

import os
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from craftc.runtime.jobs.backend import absolute
from craftc.runtime.jobs.budget import within_budget
from craftc.runtime.jobs.job_source import SearchContext
from craftc.runtime.jobs.try_first import try_first
from craftc.runtime.jobs.until_decided import Decided, plan_source
from craftc.runtime.on_ray.auth_token import use_auth_token
from craftc.runtime.on_ray.environment import ray_environment
from craftc.runtime.on_ray.sent_code import JOB_CONFIG_VARIABLE, sent_code
from craftc.runtime.search.search_source import SearchSource
from craftc.runtime.store.store import Store
from craftc.schemas.plan import JobResources, Plan, Trial
from craftc.schemas.result import Event

if TYPE_CHECKING:
    from craftc.runtime.on_ray.job_trainable import JobSetting

STOP_TIMEOUT_S = 3.0
"""How long Tune has to end its jobs; after that Ray is taken from under it."""


class RayBackend:
    """A Backend on a private Ray, or on the cluster at `address`.

    The store must be in the same place on every machine of the cluster, which is checked first. A job whose process
    dies is begun once more with its unfinished trials; if that dies too, they are TrialFailed with code `worker-died`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        scratch: Path | None = None,
        log: Path | None = None,
        decided: Decided | None = None,
    ) -> None:
        """`scratch`: a folder that every machine of the cluster sees, for Tune's own files; by default the store.
        `log`: where the workers of a private Ray append what they print; by default it comes out of this process.
        `decided` says which variants need no more seeds; without it all planned seeds are trained."""
        self._decided = decided
        self._address = address
        self._scratch = scratch
        self._log = log

    def run(
        self, plan: Plan, store: Store, search: SearchContext | None = None, to_try: Sequence[Trial] = ()
    ) -> Generator[Event, None, None]:
        """See Backend.run."""
        if not plan.jobs and plan.search is None:
            return
        if self._address is not None:
            use_auth_token(self._address)
        with ray_environment(), ExitStack() as behind_ray, ExitStack() as stack:
            # Lazily: Ray and Tune take 2 s to import, and a plan without jobs has no use for them.
            from craftc.runtime.on_ray.cluster import check_placement, num_slots

            store = absolute(store)
            requests = [job.resources for job in plan.jobs] + ([plan.search.resources] if plan.search else [])
            max_concurrent = plan.max_concurrent
            if self._address is None:
                setting = stack.enter_context(self._private(plan, requests, store))
                check_placement(requests)
                # Nobody joins a private Ray.
                max_concurrent = min(num_slots(requests), max_concurrent or sys.maxsize)
            else:
                setting = stack.enter_context(self._joined(self._address, plan, requests, store))
                check_placement(requests)
                if not setting.is_lent:
                    # Those that wait for a placement group would hold up whoever else waits for one.
                    max_concurrent = min(num_slots(requests), max_concurrent or sys.maxsize)
            yield from _events(plan, store, search, to_try, setting, max_concurrent, behind_ray, self._decided)

    @contextmanager
    def _private(self, plan: Plan, requests: Sequence[JobResources], store: Store) -> Iterator["JobSetting"]:
        from craftc.runtime.on_ray.cluster import private_ray
        from craftc.runtime.on_ray.services import few_services

        is_lent = _is_lent(requests)
        # Ray Train by itself needs more of Ray, and so does what a submitted job sets for the workers.
        is_plain = is_lent and JOB_CONFIG_VARIABLE not in os.environ
        # The workers of a trial, and a search's study, are processes that print, too.
        is_alone = all(request.workers == 1 for request in requests) and plan.search is None
        log = self._log if is_plain and is_alone else None
        services = partial(few_services, log_monitor=log is None)
        # Ray Train removes a placement group of its own, whose trial was killed, through the State API.
        with private_ray(services if is_plain else nullcontext, dashboard=not is_lent) as folder:
            # Only now: Tune is imported while Ray's workers start.
            from craftc.runtime.on_ray.job_trainable import JobSetting
            from craftc.runtime.on_ray.prestarted_workers import prestarted_workers

            with prestarted_workers():
                yield JobSetting(
                    str(store.root),
                    str(folder),
                    import_folders=plan.import_folders,
                    log=None if log is None else str(log.absolute()),
                    is_lent=is_lent,
                )

    @contextmanager
    def _joined(
        self, address: str, plan: Plan, requests: Sequence[JobResources], store: Store
    ) -> Iterator["JobSetting"]:
        from craftc.runtime.needed_packages import of_plan
        from craftc.runtime.on_ray.check_nodes import check_nodes
        from craftc.runtime.on_ray.cluster import joined_ray
        from craftc.runtime.on_ray.job_trainable import JobSetting

        with ExitStack() as stack:
            code = stack.enter_context(sent_code(plan.import_folders, store.root.parent))
            shared = self._scratch or store.root
            folder = stack.enter_context(joined_ray(address, shared=shared, runtime_env=code.runtime_env))
            check_nodes(store.root, of_plan(plan))
            yield JobSetting(
                str(store.root),
                str(folder),
                import_folders=code.import_folders,
                is_lent=_is_lent(requests),
                is_private=False,
            )


def _is_lent(requests: Sequence[JobResources]) -> bool:
    """Whether workers of one trial run in the placement group of its job."""
    if all(request.workers == 1 for request in requests):
        return True
    from craftc.runtime.on_ray.lent_placement import lent_placement

    return lent_placement() is not None


def _events(
    plan: Plan,
    store: Store,
    search: SearchContext | None,
    to_try: Sequence[Trial],
    setting: "JobSetting",
    max_concurrent: int | None,
    behind_ray: ExitStack,
    decided: Decided | None,
) -> Iterator[Event]:
    """Tune blocks until it is done, so it gets a thread of its own. `behind_ray` is closed when Ray is shut down."""
    from craftc.runtime.on_ray.job_feed import JobFeed
    from craftc.runtime.on_ray.ray_errors import ray_errors_told
    from craftc.runtime.on_ray.study_actor import study_actor
    from craftc.runtime.on_ray.tune_jobs import tune_jobs
    from craftc.runtime.on_ray.wait_for_locks import wait_for_locks

    with ray_errors_told(), ExitStack() as stack:
        if plan.search is None or search is None:
            feed = JobFeed(try_first(within_budget(plan_source(plan, store, decided), plan), to_try), setting)
        else:
            studies = stack.enter_context(study_actor(search.database, plan))
            source = within_budget(SearchSource(plan, store, studies, search.compile_point), plan)
            feed = JobFeed(try_first(source, to_try), replace(setting, study=studies.name))
        behind_ray.callback(lambda: wait_for_locks(store, feed.cut_short()))
        thread = threading.Thread(target=tune_jobs, args=(feed, Path(setting.scratch), max_concurrent), daemon=True)
        thread.start()
        try:
            yield from feed.events()
        finally:
            feed.stop()
            thread.join(STOP_TIMEOUT_S)
