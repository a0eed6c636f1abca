"""Trains the trials of one job in this process."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.jobs.decide import Decide, go_on
from craftc.runtime.store.store import Store
from craftc.runtime.worker.batched_training import groups, run_group
from craftc.runtime.worker.failure import failure, with_failure
from craftc.runtime.worker.shared_training import run_shared, trainings_of
from craftc.runtime.worker.single_trial import run_trial
from craftc.runtime.worker.trial_end import ended_by
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, Execution, TrialFailed, TrialStarted
from craftc.training.state.write_buffer import WriteBuffer

log = logging.getLogger(__name__)

_OF_LENGTH = ("epochs", "max_steps", "max_tokens", "batch_size", "accumulate")


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

    Trials are trained one after another, with two exceptions. Trials that share a training are trained together, and
    each yields its own events; `decide` is not asked about them. Trainings of one group are trained as one batch where
    that is faster.

    An event is yielded after what it reports is in the store. Where `decide` is `go_on`, files may wait up to `delay_s`
    for those of the next epochs and of trials that take as long, so that one flush to the disk serves them all; their
    events wait with them. A trial that fails ends with TrialFailed, and the next one begins. KeyboardInterrupt,
    SystemExit and closing the iterator pass through; the interrupted trial resumes from its last epoch when it is run
    again. Raises BackendError `device-lost` after a failed trial that left the device unusable for this process.

    A trial that `decide` stops ends with TrialPruned. `decide` is asked first about the epochs that the store holds,
    those of finished trials included: the store makes a job faster, and never changes what it decides.
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
        # What is trained is kept, however the job ends.
        _try_to_put(write_buffer)
        write_buffer.drop()


def _loss_of(device: str) -> str | None:
    """The error of a GPU that an illegal access has made unusable for this process; None while it works."""
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
    """The events of the job as they happen. Those of files in the `write_buffer` must be held back by the caller."""
    before: Trial | None = None
    for group in groups(trainings_of(trials)):
        ended: set[str] = set()
        execution = Execution()
        if len(group) > 1:
            _try_to_put(write_buffer)
            for event in run_group(group, store, device, cpus, decide):
                if isinstance(event, str):
                    log.warning("%d trainings of a group, one after another: %s", len(group), event)
                    execution = Execution(alone_because=event)
                    continue
                ended |= ended_by(event)
                yield event
        for training in group:
            left = [trial for trial in training if trial.id not in ended]
            if not left:
                continue
            if len(left) > 1 or before is None or not _takes_as_long(left[0], before):
                _try_to_put(write_buffer)
            if len(left) > 1:
                yield from run_shared(left, store, device, cpus, execution)
            else:
                yield from with_failure(
                    left[0], run_trial(left[0], store, device, cpus, decide, execution, write_buffer)
                )
            before = left[0]


def _try_to_put(write_buffer: WriteBuffer) -> None:
    """Write what waits. Files that cannot be written now are tried again later, and reported at the end."""
    with suppress(OSError):
        write_buffer.put()


def _takes_as_long(trial: Trial, other: Trial) -> bool:
    """Whether two trials take about as long, so that files of `other` may wait for those of `trial`."""
    if trial.is_program or other.is_program:
        return False
    mine, its = trial.config, other.config
    same = all(mine[section] == its[section] for section in ("data", "model"))
    return same and all(mine["training"].get(name) == its["training"].get(name) for name in _OF_LENGTH)


def _lost(held: Sequence[Event], trials: dict[str, Trial], error: Exception) -> list[Event]:
    """The events of trials whose files could not be written: they have failed."""
    started = [event for event in held if isinstance(event, TrialStarted)]
    ends = {trial for event in held for trial in ended_by(event)}
    return [*started, *(failure(trials[trial], error) for trial in trials if trial in ends)]
