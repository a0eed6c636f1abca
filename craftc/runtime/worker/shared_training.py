"""Trains trials that share a training; each reports what it would if it were trained alone."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from craftc.runtime.jobs.decide import go_on
from craftc.runtime.store.store import Store
from craftc.runtime.worker.failure import failure, with_failure
from craftc.runtime.worker.single_trial import ALONE, run_trial, train, weights_of
from craftc.runtime.worker.trial_exit import exits_as_errors
from craftc.schemas.plan import Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    Execution,
    TrialFailed,
    TrialFinished,
    TrialStarted,
)
from craftc.training.foundation.errors import TrainingError


def trainings_of(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials by whose training they share, in the order in which the first of each comes."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.shares or trial.id, []).append(trial)
    return list(found.values())


@dataclass(frozen=True)
class Lost:
    """A trial ended without a result, and the others of its training go on."""

    trial: str
    error: Exception


def run_shared(
    trials: Sequence[Trial], store: Store, device: str, cpus: int, execution: Execution = ALONE
) -> Iterator[Event]:
    """Train together what the store does not hold yet of trials that share a training."""
    left = {trial.id: trial for trial in trials}
    with ExitStack() as stack:
        # In one order everywhere, so that two processes never wait for each other.
        locks = {trial_id: stack.enter_context(ExitStack()) for trial_id in sorted(left)}
        for trial_id, lock in locks.items():
            if not store.is_finished(trial_id):
                lock.enter_context(store.lock(trial_id))
        for trial in trials:
            # Another run may have finished it while this one waited.
            if store.is_finished(trial.id):
                locks[trial.id].close()
                yield from with_failure(left.pop(trial.id), run_trial(trial, store, device, cpus, go_on, execution))
        for event in _train_left(left, store, device, cpus, execution):
            if isinstance(event, TrialFinished):
                locks[event.result.trial].close()
            elif isinstance(event, TrialFailed):
                locks[event.trial].close()
            yield event


def _train_left(left: dict[str, Trial], store: Store, device: str, cpus: int, execution: Execution) -> Iterator[Event]:
    try:
        for event in exits_as_errors(train_shared(list(left.values()), store, device, cpus, execution)):
            if isinstance(event, Lost):
                yield failure(left.pop(event.trial), event.error)
            else:
                if isinstance(event, TrialFinished):
                    del left[event.result.trial]
                yield event
    except Exception as error:
        # A loss that is no number is that of all.
        concerns_all = isinstance(error, TrainingError) and error.code == "nan-loss"
        failures = [failure(trial, error) for trial in left.values()] if concerns_all else []
    else:
        return
    # Not before the error is gone, and with it what the training that failed holds of the device.
    if concerns_all:
        yield from failures
        return
    for trial in left.values():
        # It may be one trial's own, a metric's above all: alone, from where it stands, each shows what becomes of it.
        yield from with_failure(trial, train(trial, store, device, cpus, go_on, execution=execution))


def train_shared(
    trials: Sequence[Trial], store: Store, device: str, cpus: int, execution: Execution
) -> Iterator[Event | Lost]:
    """Train trials that this process has locked and that have no end in the store, each from its last epoch on.

    What concerns all that have not ended is raised.
    """
    # Lazily: torch takes 2 s to import.
    import torch

    from craftc.training.loop.trial import Begun, Failed, train_together
    from craftc.training.state.member import Member

    torch.set_num_threads(cpus)
    for trial in trials:
        store.write_config(trial)
    members = [Member(trial, store.folder(trial.id)) for trial in trials]
    by_id = {trial.id: trial for trial in trials}
    with closing(train_together(members, device=device, prepared=store.prepared, execution=execution)) as told:
        for item in told:
            if isinstance(item, Begun):
                yield TrialStarted(trial=item.trial, epoch=item.epoch, warning=item.warning)
            elif isinstance(item, EpochRecord):
                yield EpochEnded(record=item)
            elif isinstance(item, Failed):
                yield Lost(item.trial, item.error)
            else:
                store.write_result(item, weights=weights_of(by_id[item.trial]))
                yield TrialFinished(result=item)
