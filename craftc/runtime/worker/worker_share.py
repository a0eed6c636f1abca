"""One worker's share of a job whose trials have several workers: trials in, the events that it is to tell out."""

from collections.abc import Iterator, Sequence

from craftc.runtime.jobs.decide import Decide
from craftc.runtime.programs.follow_program import follow_program
from craftc.runtime.programs.run_program import run_program
from craftc.runtime.programs.team import Leader
from craftc.runtime.store.store import Store
from craftc.runtime.worker.failure import failure
from craftc.runtime.worker.single_trial import train
from craftc.runtime.worker.trial_end import end_in_store
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event
from craftc.training.loop.trial import train_trial
from craftc.training.parts.worker_group import WorkerGroup


def run_worker_share(
    trials: Sequence[Trial], *, store: Store, device: str, cpus: int, workers: WorkerGroup, decide: Decide
) -> Iterator[Event]:
    """Train with the others of the group what the store does not hold yet, one trial after another.

    The first worker reads and writes the store, decides, and tells everything; the others tell only what fails with
    them. What fails is told, and then raised: the others may be waiting for this worker, so that the group has to end.
    """
    for trial in trials:
        try:
            if workers.is_first:
                yield from _lead(trial, store, device, cpus, workers, decide)
            else:
                _follow(trial, store, device, cpus, workers)
        except Exception as error:
            yield failure(trial, error)
            raise


def _lead(trial: Trial, store: Store, device: str, cpus: int, workers: WorkerGroup, decide: Decide) -> Iterator[Event]:
    with store.lock(trial.id):
        # Another run may have finished it while this one waited.
        end = end_in_store(trial, store, decide)
        if workers.share(end is None) and trial.is_program:
            yield from run_program(trial, store, device, cpus, decide, Leader(workers))
        elif end is None:
            yield from train(trial, store, device, cpus, decide, workers)
        else:
            yield end


def _follow(trial: Trial, store: Store, device: str, cpus: int, workers: WorkerGroup) -> None:
    """The same steps as the first worker's, collective by collective; what to do is shared by that one."""
    if not workers.share(False):
        return
    if trial.is_program:
        follow_program(trial, store, device, cpus, workers)
        return
    folder = store.folder(trial.id)
    for _ in train_trial(trial, folder=folder, device=device, workers=workers, prepared=store.prepared):
        if not workers.share(False):
            return
