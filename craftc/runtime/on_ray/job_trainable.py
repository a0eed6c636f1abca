"""Runs a job in a Ray worker, and reports its events as plain JSON in Tune's results."""

import json
import queue
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from ray import tune

from craftc.runtime.jobs.backend import pick_device
from craftc.runtime.jobs.job_source import Work
from craftc.runtime.on_ray.cluster import worker_bundle
from craftc.runtime.on_ray.study_actor import reporter_to
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.runtime.worker.own_code import make_importable
from craftc.runtime.worker.redirect import print_to
from craftc.runtime.worker.run_work import Run, run_work
from craftc.runtime.worker.try_trials import with_trials_tried
from craftc.schemas.result import Event

EVENTS = "craftc_events"
"""The key of a result under which the events are."""

# A result costs the driver a few milliseconds, so events of short epochs travel together; a step that has nothing to
# tell ends after a second all the same, for only between steps can Tune stop a trial.
FIRST_EVENT_TIMEOUT_S = 1.0
MORE_EVENTS_TIMEOUT_S = 0.25

NEXT_TO_NOTHING = {"memory": 2.0**20}
"""What a process reserves that only waits for others: Tune refuses to reserve nothing at all."""


@dataclass(frozen=True)
class JobSetting:
    """What all jobs of a run are given.

    `scratch`: a folder for files that nobody reads after the job; every machine sees it. `study`: the name of the actor
    that a job with a point reports to. `import_folders`: where the user's own code is, see `make_importable`. `log`:
    the file to which its process appends what it prints; None where Ray passes that on. `is_lent`: whether the workers
    of a trial run in the placement group of its job; otherwise Ray Train asks for one. `is_private`: whether the Ray is
    one of this run alone, whose processes all have the environment of the driver.
    """

    store: str
    scratch: str
    study: str | None = None
    import_folders: tuple[str, ...] = ()
    log: str | None = None
    is_lent: bool = True
    is_private: bool = True


def job_config(work: Work, setting: JobSetting) -> dict[str, Any]:
    """A job as a Tune config: one string, since Tune would read meaning into keys such as `grid_search`."""
    return {"job": json.dumps({"work": work.model_dump(mode="json"), "setting": asdict(setting)})}


class RayJob(tune.Trainable):
    """A Tune trial that runs one job; its process is used again for the next, so that torch is imported once."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """What the job's process is given. With several workers, they are; this process then only waits for them."""
        content = json.loads(config["job"])
        resources = Work.model_validate(content["work"]).resources
        if resources.workers > 1 and not content["setting"]["is_lent"]:
            return tune.PlacementGroupFactory([NEXT_TO_NOTHING])
        waiting: list[dict[str, float]] = [{}] if resources.workers > 1 else []
        return tune.PlacementGroupFactory([*waiting, *[worker_bundle(resources)] * resources.workers])

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the job."""
        content = json.loads(config["job"])
        work = Work.model_validate(content["work"])
        setting = JobSetting(**content["setting"])
        if setting.log is not None:
            print_to(Path(setting.log))
        make_importable(setting.import_folders)
        store = Store(Path(setting.store))
        report = reporter_to(setting.study) if work.point is not None and setting.study is not None else None
        run = _run(work, store, setting)
        events = run_work(work, run, store=store, report=report)
        if work.resources.workers == 1:
            device, cpus = pick_device(work.resources.gpu), work.resources.cpu
            events = with_trials_tried(
                work.to_try, events, store=store, device=device, cpus=cpus, scratch=Path(setting.scratch)
            )
        self._pump = EventPump(events)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another job in this process. The last one is over, or stops at its next event."""
        self._pump.close()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """What has happened since the last step."""
        events, done = self._pump.take()
        return {EVENTS: [event.model_dump(mode="json") for event in events], "done": done}

    def cleanup(self) -> None:
        """Stop at the next event."""
        self._pump.stop()


def _run(work: Work, store: Store, setting: JobSetting) -> Run:
    resources = work.resources
    if resources.workers == 1:
        device = pick_device(resources.gpu)
        return partial(run_job, store=store, device=device, cpus=resources.cpu, delay_s=MORE_EVENTS_TIMEOUT_S)
    # Lazily: one worker needs nothing of Ray Train.
    from craftc.runtime.on_ray.distributed_job import distributed_events

    return partial(
        distributed_events,
        resources=resources,
        store=store,
        scratch=Path(setting.scratch),
        is_lent=setting.is_lent,
        is_private=setting.is_private,
        import_folders=setting.import_folders,
        to_try=work.to_try,
    )


class EventPump:
    """Runs a generator of events in a thread of its own, so that a long epoch holds up nobody who asks.

    What the generator raises, `take` raises, once all events before are taken.
    """

    def __init__(self, events: Iterator[Event]) -> None:
        self._queue: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._pump, args=(events,), daemon=True)
        self._thread.start()

    def take(self) -> tuple[list[Event], bool]:
        """The events since the last call, and whether they were the last. Waits for some, but not for long."""
        taken: list[Event] = []
        deadline = time.monotonic() + FIRST_EVENT_TIMEOUT_S
        while self._error is None and (timeout_s := deadline - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                break
            if item is None:
                return taken, True
            if isinstance(item, BaseException):
                self._error = item
                break
            if not taken:
                deadline = time.monotonic() + MORE_EVENTS_TIMEOUT_S
            taken.append(item)
        if self._error is not None and not taken:
            raise RuntimeError(f"the job ended by {type(self._error).__name__}: {self._error}") from self._error
        return taken, False

    def stop(self) -> None:
        """Have the thread end after the event that it is working on."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        self._thread.join()

    def _pump(self, events: Iterator[Event]) -> None:
        # Closed in this thread too: a lock on a trial belongs to the thread that took it.
        with closing(cast(Generator[Event, None, None], events)):
            try:
                for event in events:
                    self._queue.put(event)
                    if self._stopped.is_set():
                        return
            except BaseException as error:
                # SystemExit and the like, raised in the user's code: told in `take`, as a thread cannot.
                self._queue.put(error)
                return
        self._queue.put(None)
