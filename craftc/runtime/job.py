"""Trials in, events out: trains the trials of one job in this process, one after another."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from craftc.components.errors import DataError
from craftc.components.own_line import own_line
from craftc.runtime.store import Store, StoreError
from craftc.schemas.plan import Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialStarted,
)
from craftc.training.errors import TrainingError

if TYPE_CHECKING:
    from craftc.training.team import Team

Decide = Callable[[EpochRecord], bool]
"""Asked after each epoch of a trial, in order: whether to go on."""


def go_on(record: EpochRecord) -> bool:
    """Stops nothing."""
    return True


def run_job(
    trials: Sequence[Trial], *, store: Store, device: str, cpus: int, decide: Decide = go_on
) -> Iterator[Event]:
    """Train what the store does not hold yet on `device` ("cpu", "cuda", "cuda:1") with `cpus` torch threads.

    Whatever an event tells is in the store before the event is yielded. A trial that fails is told as TrialFailed and
    the next one goes on. KeyboardInterrupt, SystemExit and closing the iterator pass through; the interrupted
    trial goes on from its last epoch when it is run again.

    A trial that `decide` stops is told as TrialPruned. Epochs that the store has already are decided on first, those of
    a finished trial too: what the store holds makes a job faster and never different.
    """
    for trial in trials:
        try:
            yield from _run_trial(trial, store, device, cpus, decide)
        except Exception as error:
            # The one boundary where whatever happens inside a trial, be it in the user's own model, becomes a value.
            yield failure(trial, error)


def _run_trial(trial: Trial, store: Store, device: str, cpus: int, decide: Decide) -> Iterator[Event]:
    # A finished trial is never written again, so it is read without waiting for a lock.
    if store.is_finished(trial.id):
        yield reuse(trial, store, decide)
        return
    with store.lock(trial.id):
        # Another run may have finished it while this one waited.
        end = end_in_store(trial, store, decide)
        if end is not None:
            yield end
        else:
            yield from train(trial, store, device, cpus, decide)


def end_in_store(trial: Trial, store: Store, decide: Decide) -> Event | None:
    """The end of a trial by what the store holds already: it is finished, or `decide` stops it there; else None."""
    if store.is_finished(trial.id):
        return reuse(trial, store, decide)
    stopped = _stopped_at(store.history(trial.id), decide)
    return None if stopped is None else _pruned(trial, stopped)


def reuse(trial: Trial, store: Store, decide: Decide) -> Event:
    """The end of a trial that is finished."""
    result = store.result(trial.id)
    stopped = _stopped_at(store.history(trial.id), decide)
    return TrialFinished(result=result, reused=True) if stopped is None else _pruned(trial, stopped)


def _stopped_at(history: Sequence[EpochRecord], decide: Decide) -> int | None:
    """The epoch behind which `decide` stops, or None."""
    return next((record.epoch for record in history if not decide(record)), None)


def _pruned(trial: Trial, epoch: int) -> TrialPruned:
    return TrialPruned(trial=trial.id, epoch=epoch, epochs_planned=int(trial.config["training"]["epochs"]))


def train(
    trial: Trial, store: Store, device: str, cpus: int, decide: Decide, team: "Team | None" = None
) -> Iterator[Event]:
    """Train a trial that this process has locked and that has no end in the store, from its last epoch on.

    Alone, or as the first worker of a team; the others are told after each epoch whether to go on.
    """
    # Lazily: torch takes 2 s to import, and a job whose trials are all finished has no use for it.
    import torch

    from craftc.training.team import SOLO
    from craftc.training.trial import num_epochs_trained, train_trial

    team = team or SOLO
    torch.set_num_threads(cpus)
    num_decided = len(store.history(trial.id))
    store.write_config(trial)
    folder = store.folder(trial.id)
    yield TrialStarted(trial=trial.id, epoch=num_epochs_trained(trial, folder))
    epochs = train_trial(trial, folder=folder, device=device, team=team)
    while True:
        try:
            record = next(epochs)
        except StopIteration as end:
            result = end.value
            break
        yield EpochEnded(record=record)
        # The last line of an interrupted trial may be ahead of its checkpoint, and was decided on before.
        if not team.share(record.epoch <= num_decided or decide(record)):
            epochs.close()
            yield _pruned(trial, record.epoch)
            return
    store.write_result(result)
    yield TrialFinished(result=result)


def failure(trial: Trial, error: Exception) -> TrialFailed:
    """What is told of a trial that raised.

    craftc's own errors carry a code and a sentence; any other is the user's code or a bug, named by its
    class. Where a line of the user's own code is to blame, the message ends with it.
    """
    code, message, epoch = "trial-crashed", f"{type(error).__name__}: {error}", None
    if isinstance(error, TrainingError | DataError | StoreError):
        code, message, epoch = error.code, str(error), getattr(error, "epoch", None)
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        code = "out-of-memory"
    return TrialFailed(
        trial=trial.id,
        code=code,
        message=_one_line(message, error),
        epoch=epoch,
        traceback="".join(traceback.format_exception(error)),
    )


def _one_line(message: str, error: Exception) -> str:
    line = "" if isinstance(error, DataError) else own_line(error)
    return message.splitlines()[0] + (f" ({line})" if line else "")
