"""Trains one trial by itself, or as the first of several workers."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from craftc.runtime.jobs.decide import Decide, go_on
from craftc.runtime.programs.run_program import run_program
from craftc.runtime.store.store import Store, StoreError
from craftc.runtime.worker.trial_end import end_in_store, pruned, reuse
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, Event, Execution, TrialFinished, TrialStarted
from craftc.training.state.write_buffer import WriteBuffer

if TYPE_CHECKING:
    from craftc.training.parts.worker_group import WorkerGroup

ALONE = Execution()
log = logging.getLogger(__name__)


def run_trial(
    trial: Trial,
    store: Store,
    device: str,
    cpus: int,
    decide: Decide,
    execution: Execution = ALONE,
    write_buffer: WriteBuffer | None = None,
) -> Iterator[Event]:
    """Train a trial that may be finished already, or be in training by another process; it is locked meanwhile."""
    # A finished trial is never written again, so it is read without waiting for a lock.
    if store.is_finished(trial.id):
        yield reuse(trial, store, decide)
        return
    write_buffer = write_buffer or WriteBuffer()
    with ExitStack() as lock:
        lock.enter_context(store.lock(trial.id))
        # Another run may have finished it while this one waited.
        end = end_in_store(trial, store, decide)
        if end is not None:
            yield end
        elif trial.is_program:
            yield from run_program(trial, store, device, cpus, decide)
        else:
            if trial.read_off is not None and decide is go_on:
                try:
                    yield from read_off(trial, store, device, cpus)
                    return
                except NotReadOffError as error:
                    log.warning("trial %s is trained: %s", trial.id[:12], error)
                    execution = execution.model_copy(update={"trained_because": str(error)})
            yield from train(trial, store, device, cpus, decide, execution=execution, write_buffer=write_buffer)
        # Until its result is there, it is this process's.
        write_buffer.afterwards(lock.pop_all().close)


def train(
    trial: Trial,
    store: Store,
    device: str,
    cpus: int,
    decide: Decide,
    workers: "WorkerGroup | None" = None,
    execution: Execution = ALONE,
    write_buffer: WriteBuffer | None = None,
) -> Iterator[Event]:
    """Train a trial that this process has locked and that has no end in the store, from its last epoch on.

    With several workers this is the first; it shares with the others after each epoch whether to go on. Files that an
    event reports may wait in the `write_buffer`.
    """
    # Lazily: torch takes 2 s to import, and a job whose trials are all finished has no use for it.
    import torch

    from craftc.training.loop.trial import beginning_of, train_trial
    from craftc.training.parts.worker_group import ONE_WORKER

    workers = workers or ONE_WORKER
    torch.set_num_threads(cpus)
    num_decided = len(store.history(trial.id))
    store.write_config(trial)
    folder = store.folder(trial.id)
    begun = beginning_of(trial, folder)
    yield TrialStarted(trial=trial.id, epoch=begun.epoch, warning=begun.warning)
    epochs = train_trial(
        trial,
        folder=folder,
        device=device,
        workers=workers,
        prepared=store.prepared,
        execution=execution,
        write_buffer=write_buffer,
    )
    while True:
        try:
            record = next(epochs)
        except StopIteration as end:
            result = end.value
            break
        yield EpochEnded(record=record)
        # The last line of an interrupted trial may be ahead of its checkpoint, and was decided on before.
        if not workers.share(record.epoch <= num_decided or decide(record)):
            epochs.close()
            yield pruned(trial, record.epoch)
            return
    store.write_result(result, write_buffer, weights=weights_of(trial))
    yield TrialFinished(result=result)


def weights_of(trial: Trial) -> str | None:
    """The fingerprint of the weights that a trial comes to; None where that is not known."""
    return None if trial.stages is None else trial.stages.weights


def read_off(trial: Trial, store: Store, device: str, cpus: int) -> Iterator[Event]:
    """Measure a trial that this process has locked with the weights of a finished one, `trial.read_off`.

    Raises NotReadOffError where those are no longer there, or are damaged.
    """
    import torch

    from craftc.training.foundation.errors import TrainingError
    from craftc.training.loop import read_off as of_weights

    source = str(trial.read_off)
    torch.set_num_threads(cpus)
    store.write_config(trial)
    try:
        finished = of_weights.Finished(store.folder(source), store.result(source), store.history(source))
    except (KeyError, StoreError, ValueError) as error:
        raise NotReadOffError(f"trial {source[:12]} cannot be read: {error}") from error
    try:
        result = of_weights.read_off(trial, store.folder(trial.id), finished, device=device, prepared=store.prepared)
    except TrainingError as error:
        if error.code != "checkpoint-corrupt":
            raise
        # Without the advice for a trial of one's own.
        raise NotReadOffError(error.message.partition("; ")[0]) from error
    # Only now: what follows the epochs of a trial reads them from its history.
    yield TrialStarted(trial=trial.id, epoch=result.epochs_trained)
    store.write_result(result, weights=weights_of(trial))
    yield TrialFinished(result=result)


class NotReadOffError(Exception):
    """The weights of a finished trial cannot be used; the message says why."""
