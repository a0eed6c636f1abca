"""Trains trials that need several workers, by the workers of Ray Train, and yields their events.

Runs in the process of a Tune trial; the workers are processes of their own, and tell what happens through a queue.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray.train
from pydantic import TypeAdapter
from ray.util.queue import Empty, Queue

from craftc.runtime.jobs.decide import Decide
from craftc.runtime.on_ray.cluster import worker_bundle
from craftc.runtime.on_ray.environment import TRAIN_VARIABLES
from craftc.runtime.on_ray.separate_groups import note_group
from craftc.runtime.on_ray.trainer import Trainer, make_trainer
from craftc.runtime.store.store import Store
from craftc.runtime.worker.own_code import make_importable
from craftc.runtime.worker.trial_end import reuse
from craftc.schemas.plan import JobResources, Trial
from craftc.schemas.result import Event, TrialFailed, TrialFinished, TrialPruned

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
EVENT_TIMEOUT_S = 0.2
"""How long to wait for an event before asking whether the workers are still there."""


def distributed_events(
    trials: Sequence[Trial],
    *,
    resources: JobResources,
    store: Store,
    scratch: Path,
    decide: Decide,
    is_lent: bool = True,
    is_private: bool = True,
    import_folders: Sequence[str] = (),
    to_try: Sequence[Trial] = (),
) -> Iterator[Event]:
    """As `run_job`, with `resources.workers` processes for each trial; `scratch` is a folder for Ray Train's files,
    `is_lent` says that they run in the placement group of this process, `is_private` that Ray starts every process with
    the environment of the driver. The first of them tries what is to be tried.

    In each of them `import_folders` are made importable. `decide` is sent to the first of them, and asked there.

    A trial that fails ends its workers, and the next one gets others. Raises RuntimeError where a worker dies.
    """
    os.environ.update(TRAIN_VARIABLES)
    left = list(trials)
    while left:
        if store.is_finished(left[0].id):
            yield reuse(left.pop(0), store, decide)
            continue
        # Wait for another run that trains it without holding workers for it; the first worker then locks it itself.
        with store.lock(left[0].id):
            pass
        queue = Queue(actor_options={"num_cpus": 0})
        groups = None if is_lent else str(scratch)
        config = {"decide": decide, "queue": queue, "import_folders": list(import_folders), "groups": groups}
        config |= {"scratch": str(scratch), "to_try": [trial.model_dump(mode="json") for trial in to_try]}
        trainer = _trainer(left, resources, store, scratch, config, is_lent=is_lent, is_private=is_private)
        for event in _told_by_workers(trainer, queue):
            yield event
            if isinstance(event, TrialFinished | TrialFailed | TrialPruned):
                left.pop(0)


def _told_by_workers(trainer: Trainer, queue: Queue) -> Generator[Event, None, None]:
    """What happens until the workers are through, or one fails; a failure comes last, when all of them are gone."""
    failures: list[TrialFailed] = []
    returned: set[int] = set()
    with ThreadPoolExecutor(1) as executor:
        fit = executor.submit(trainer.fit)
        try:
            for event in _queued(queue, fit, returned):
                if isinstance(event, TrialFailed):
                    failures.append(event)
                else:
                    yield event
        finally:
            if not fit.done():
                trainer.kill()
            queue.shutdown(force=True)
    error = fit.exception()
    if error is None:
        return
    # A worker that fails says so before Ray Train hears of it; one that dies, or hangs, does not.
    dead = set(error.worker_failures) - returned if isinstance(error, ray.train.WorkerGroupError) else set()
    # When a worker dies, the others fail at what they had to tell it: that says nothing about the trial.
    if dead or not failures:
        raise RuntimeError(f"the workers of a trial came to an end: {error}") from error
    yield failures[0]


def _trainer(
    trials: Sequence[Trial],
    resources: JobResources,
    store: Store,
    scratch: Path,
    config: dict[str, Any],
    *,
    is_lent: bool,
    is_private: bool,
) -> Trainer:
    given = {
        "trials": [trial.model_dump(mode="json") for trial in trials],
        "resources": resources.model_dump(mode="json"),
        "store": str(store.root),
    }
    return make_trainer(
        _work,
        given | config,
        is_lent=is_lent,
        is_private=is_private,
        num_workers=resources.workers,
        resources_per_worker=worker_bundle(resources),
        # The same again when the job is retried. What it resumes from is the store.
        name=trials[0].id,
        storage_path=str(scratch),
    )


def _queued(queue: Queue, fit: "Future[Any]", returned: set[int]) -> Iterator[Event]:
    """Events until the workers are gone and the queue is empty; the ranks of those that have returned are added."""
    while True:
        is_last = fit.done()
        with suppress(Empty):
            while True:
                message = queue.get(timeout=EVENT_TIMEOUT_S)
                if isinstance(message, int):
                    returned.add(message)
                else:
                    yield EVENT.validate_json(message)
        if is_last:
            return


def _work(config: dict[str, Any]) -> None:
    """What each worker does: its share of the trials, and, however that ends, its rank into the queue."""
    try:
        _take_share(config)
    finally:
        config["queue"].put(ray.train.get_context().get_world_rank())


def _take_share(config: dict[str, Any]) -> None:
    if config["groups"] is not None and ray.train.get_context().get_world_rank() == 0:
        note_group(Path(config["groups"]), config["trials"][0]["id"])
    make_importable(config["import_folders"])
    # In the worker alone: it has torch already.
    import torch

    from craftc.runtime.worker.try_trials import with_trials_tried
    from craftc.runtime.worker.worker_share import run_worker_share
    from craftc.training.parts.worker_group import WorkerGroup

    context = ray.train.get_context()
    resources = JobResources.model_validate(config["resources"])
    torch.set_num_threads(resources.cpu)
    store, cpus = Store(Path(config["store"])), resources.cpu
    device = _own_gpu() if resources.gpu else "cpu"
    workers = WorkerGroup(context.get_world_rank(), context.get_world_size())
    trials = [Trial.model_validate(trial) for trial in config["trials"]]
    events = run_worker_share(trials, store=store, device=device, cpus=cpus, workers=workers, decide=config["decide"])
    # The others wait at their first exchange.
    to_try = [Trial.model_validate(trial) for trial in config["to_try"]] if workers.is_first else []
    scratch = Path(config["scratch"])
    events = with_trials_tried(to_try, events, store=store, device=device, cpus=cpus, scratch=scratch)
    for event in events:
        config["queue"].put(event.model_dump_json())


def _own_gpu() -> str:
    """Of this worker, by the name that torch has for it."""
    import ray.train.torch

    return str(ray.train.torch.get_device())
