"""Trials in, events out: trains the trials of one job in this process."""

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from craftc.components.errors import DataError
from craftc.components.own_line import own_line
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.jobs.decide import Decide, go_on
from craftc.runtime.store.store import Store, StoreError
from craftc.runtime.work.batched_training import groups, is_too_little, train_group
from craftc.runtime.work.shared_training import Lost, train_shared, trainings_of
from craftc.schemas.plan import Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    Execution,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialStarted,
)
from craftc.training.foundation.errors import TrainingError
from craftc.training.state.write_buffer import WriteBuffer

if TYPE_CHECKING:
    from craftc.training.parts.worker_group import WorkerGroup

log = logging.getLogger(__name__)

ALONE = Execution()


def run_job(
    trials: Sequence[Trial],
    *,
    store: Store,
    device: str,
    cpus: int,
    decide: Decide = go_on,
    delay_s: float = 0.0,
) -> Iterator[Event]:
    """Train what the store does not hold yet on `device` ("cpu", "cuda", "cuda:1") with `cpus` torch threads.

    One trial after another, but for those that share a training: they are trained together, and told of each in its own
    events. Nobody decides on those. Trainings of one group are trained as one batch where that is faster.

    Whatever an event tells is in the store before the event is yielded. Where nobody decides, files may wait `delay_s`
    for those of the next epochs and of trials that take as long, to be flushed to the disk with them; their events then
    wait, too. A trial that fails is told as TrialFailed and the next one goes on. KeyboardInterrupt, SystemExit and
    closing the iterator pass through; the interrupted trial goes on from its last epoch when it is run again.
    Raises BackendError `device-lost` behind a failed trial that left the device unusable for this process.

    A trial that `decide` stops is told as TrialPruned. Epochs that the store has already are decided on first, those of
    a finished trial too: what the store holds makes a job faster and never different.
    """
    write_buffer = WriteBuffer(delay_s if decide is go_on else 0.0)
    held: list[Event] = []
    try:
        for event in _job_events(trials, store, device, cpus, decide, write_buffer):
            held.append(event)
            lost = _loss_of(device) if isinstance(event, TrialFailed) else None
            if lost is not None:
                _try_to_put(write_buffer)
            if write_buffer.is_empty:
                yield from held
                held.clear()
            if lost is not None:
                raise BackendError("device-lost", f"{device} cannot be used by this process any more: {lost}")
        try:
            write_buffer.put()
        except OSError as error:
            held = _lost(held, {trial.id: trial for trial in trials}, error)
        yield from held
    finally:
        # What is trained is kept, whoever ended this.
        _try_to_put(write_buffer)
        write_buffer.drop()


def _loss_of(device: str) -> str | None:
    """What a GPU says that an illegal access has lost for this process, so that whatever is trained next would fail."""
    if not device.startswith("cuda"):
        return None
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return None


def _job_events(
    trials: Sequence[Trial], store: Store, device: str, cpus: int, decide: Decide, write_buffer: WriteBuffer
) -> Iterator[Event]:
    """What happens, as soon as it does. What waits in the `write_buffer` may not be told yet."""
    before: Trial | None = None
    for group in groups(trainings_of(trials)):
        ended: set[str] = set()
        execution = Execution()
        if len(group) > 1:
            _try_to_put(write_buffer)
            for event in _run_group(group, store, device, cpus, decide):
                if isinstance(event, str):
                    log.warning("%d trainings of a group, one after another: %s", len(group), event)
                    execution = Execution(alone_because=event)
                    continue
                ended |= _ended(event)
                yield event
        for training in group:
            left = [trial for trial in training if trial.id not in ended]
            if not left:
                continue
            if len(left) > 1 or before is None or not _takes_as_long(left[0], before):
                _try_to_put(write_buffer)
            if len(left) > 1:
                yield from _run_shared(left, store, device, cpus, execution)
            else:
                yield from _shielded(left[0], _run_trial(left[0], store, device, cpus, decide, execution, write_buffer))
            before = left[0]


def _try_to_put(write_buffer: WriteBuffer) -> None:
    """What cannot be written is tried again with what follows, and told of at the end."""
    with suppress(OSError):
        write_buffer.put()


def _takes_as_long(trial: Trial, other: Trial) -> bool:
    """Whether what the other waits with can wait for this one."""
    mine, its = trial.config, other.config
    same = all(mine[section] == its[section] for section in ("data", "model"))
    return same and all(mine["training"][name] == its["training"][name] for name in ("epochs", "batch_size"))


def _lost(held: Sequence[Event], trials: dict[str, Trial], error: Exception) -> list[Event]:
    """Nothing of what waited could be written: its trials have failed."""
    started = [event for event in held if isinstance(event, TrialStarted)]
    ends = {trial for event in held for trial in _ended(event)}
    return [*started, *(failure(trials[trial], error) for trial in trials if trial in ends)]


def _ended(event: Event) -> set[str]:
    """The trial that ends by this event, if one does."""
    match event:
        case TrialFinished(result=result):
            return {result.trial}
        case TrialFailed(trial=trial) | TrialPruned(trial=trial):
            return {trial}
    return set()


def _run_group(
    trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int, decide: Decide
) -> Iterator[Event | str]:
    """Train as a batch what the store does not hold yet of a group, as far as that is worth it. What others train just
    now, and what has no end in the store's history already, is left for its own turn."""
    with ExitStack() as stack:
        locks = {trial.id: stack.enter_context(ExitStack()) for training in trainings for trial in training}
        new = [training for training in trainings if not any(store.is_finished(trial.id) for trial in training)]
        begun: list[Sequence[Trial]] = []
        if len(new) > 1 and not _is_too_little(new, store, device, cpus):
            begun = [training for training in new if _lock_at_once(training, locks, store, decide)]
        by_id = {trial.id: trial for training in begun for trial in training}
        try:
            for event in train_group(begun, store, device, cpus, decide) if len(begun) > 1 else ():
                told = failure(by_id[event.trial], event.error) if isinstance(event, Lost) else event
                if not isinstance(told, str):
                    for trial in _ended(told):
                        locks[trial].close()
                yield told
        except Exception as error:
            # Alone, from where it stands, each trial shows what becomes of it.
            log.warning("a batch of %d trainings ended: %s: %s", len(begun), type(error).__name__, error)
            yield f"a batch of it failed: {type(error).__name__}: {error}"


def _is_too_little(trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int) -> bool:
    try:
        return is_too_little(trainings, store, device, cpus)
    except Exception as error:
        # Of its data, above all: each trial tells of that itself.
        log.info("a group is not tried as a batch: %s: %s", type(error).__name__, error)
        return True


def _lock_at_once(training: Sequence[Trial], locks: dict[str, ExitStack], store: Store, decide: Decide) -> bool:
    """Lock a training's trials, if none is finished, decided on, or being trained elsewhere; whether that is so."""
    try:
        for trial in training:
            locks[trial.id].enter_context(store.lock(trial.id, timeout_s=0))
            if store.is_finished(trial.id) or _stopped_at(store.history(trial.id), decide) is not None:
                raise TimeoutError
    except (TimeoutError, ValueError):
        # Or its history cannot be read, which its own turn will tell of.
        for trial in training:
            locks[trial.id].close()
        return False
    return True


def _shielded(trial: Trial, events: Iterator[Event]) -> Iterator[Event]:
    try:
        yield from events
    except Exception as error:
        # The one boundary where whatever happens inside a trial, be it in the user's own model, becomes a value.
        yield failure(trial, error)


def _run_trial(
    trial: Trial,
    store: Store,
    device: str,
    cpus: int,
    decide: Decide,
    execution: Execution = ALONE,
    write_buffer: WriteBuffer | None = None,
) -> Iterator[Event]:
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
        else:
            yield from train(trial, store, device, cpus, decide, execution=execution, write_buffer=write_buffer)
        # Until its result is there, it is this process's.
        write_buffer.afterwards(lock.pop_all().close)


def _run_shared(
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
                yield from _shielded(left.pop(trial.id), _run_trial(trial, store, device, cpus, go_on, execution))
        for event in _train_left(left, store, device, cpus, execution):
            if isinstance(event, TrialFinished):
                locks[event.result.trial].close()
            elif isinstance(event, TrialFailed):
                locks[event.trial].close()
            yield event


def _train_left(left: dict[str, Trial], store: Store, device: str, cpus: int, execution: Execution) -> Iterator[Event]:
    try:
        for event in train_shared(list(left.values()), store, device, cpus, execution):
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
        yield from _shielded(trial, train(trial, store, device, cpus, go_on, execution=execution))


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

    Alone, or as the first worker of a group; the others are told after each epoch whether to go on. What an event tells
    may wait in the `write_buffer`.
    """
    # Lazily: torch takes 2 s to import, and a job whose trials are all finished has no use for it.
    import torch

    from craftc.training.loop.trial import num_epochs_trained, train_trial
    from craftc.training.parts.worker_group import ONE_WORKER

    workers = workers or ONE_WORKER
    torch.set_num_threads(cpus)
    num_decided = len(store.history(trial.id))
    store.write_config(trial)
    folder = store.folder(trial.id)
    yield TrialStarted(trial=trial.id, epoch=num_epochs_trained(trial, folder))
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
            yield _pruned(trial, record.epoch)
            return
    store.write_result(result, write_buffer)
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
