"""Trains the trainings of one group as a batch, as far as that is faster."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from craftc.plain_text import plain
from craftc.runtime.jobs.decide import Decide
from craftc.runtime.store.batch_findings import finding_file
from craftc.runtime.store.store import Store
from craftc.runtime.worker.failure import MOST_SAID, failure
from craftc.runtime.worker.shared_training import Lost
from craftc.runtime.worker.single_trial import weights_of
from craftc.runtime.worker.trial_end import ended_by, stopped_at
from craftc.runtime.worker.trial_exit import exits_as_errors
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, EpochRecord, Event, TrialFinished, TrialPruned, TrialStarted

log = logging.getLogger(__name__)


def groups(trainings: Sequence[Sequence[Trial]]) -> list[list[list[Trial]]]:
    """The trainings of a job by their group, in the order in which the first of each comes; those of none alone."""
    found: dict[int | str, list[list[Trial]]] = {}
    for training in trainings:
        first = training[0]
        found.setdefault(first.id if first.group is None else first.group, []).append(list(training))
    return list(found.values())


def run_group(
    trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int, decide: Decide
) -> Iterator[Event | str]:
    """Train as a batch what the store does not hold yet of a group, as far as that is faster. Trainings that another
    process is at, or that the store's history ends already, are left for their own turn."""
    with ExitStack() as stack:
        locks = {trial.id: stack.enter_context(ExitStack()) for training in trainings for trial in training}
        new = [training for training in trainings if not any(store.is_finished(trial.id) for trial in training)]
        begun: list[Sequence[Trial]] = []
        if len(new) > 1 and not _is_too_little(new, store, device, cpus):
            begun = [training for training in new if _lock_at_once(training, locks, store, decide)]
        by_id = {trial.id: trial for training in begun for trial in training}
        try:
            told_of = train_group(begun, store, device, cpus, decide) if len(begun) > 1 else iter(())
            for event in exits_as_errors(told_of):
                told = failure(by_id[event.trial], event.error) if isinstance(event, Lost) else event
                if not isinstance(told, str):
                    for trial in ended_by(told):
                        locks[trial].close()
                yield told
        except Exception as error:
            # Alone, from where it stands, each trial shows what becomes of it.
            log.warning("a batch of %d trainings ended: %s: %s", len(begun), type(error).__name__, error)
            yield f"a batch of it failed: {plain(f'{type(error).__name__}: {error}', MOST_SAID)}"


def _is_too_little(trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int) -> bool:
    try:
        return is_too_little(trainings, store, device, cpus)
    except Exception as error:
        # Mostly an error of the data, which each trial reports itself.
        log.info("a group is not tried as a batch: %s: %s", type(error).__name__, error)
        return True


def _lock_at_once(training: Sequence[Trial], locks: dict[str, ExitStack], store: Store, decide: Decide) -> bool:
    """Lock a training's trials, if none is finished, decided on, or being trained elsewhere; whether that is so."""
    try:
        for trial in training:
            locks[trial.id].enter_context(store.lock(trial.id, timeout_s=0))
            if store.is_finished(trial.id) or stopped_at(store.history(trial.id), decide) is not None:
                raise TimeoutError
    except (TimeoutError, ValueError):
        # Or its history cannot be read, which its own turn reports.
        for trial in training:
            locks[trial.id].close()
        return False
    return True


def is_too_little(trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int) -> bool:
    """Whether trials of a group are too short for a batch, as far as that is known before they are begun."""
    if finding_file(store, trainings[0][0], device=device, cpus=cpus).read() is not None:
        return False
    # Lazily: torch takes 2 s to import.
    from craftc.training.batched_trials.train import has_too_little

    return has_too_little(trainings, device=device, prepared=store.prepared)


def train_group(
    trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int, decide: Decide
) -> Iterator[Event | Lost | str]:
    """Train trials that this process has locked and that have no end in the store, as far as a batch is worth it.

    A trial whose end is not yielded is to be trained alone, from where it stands; a text gives the reason.
    """
    # Lazily: torch takes 2 s to import.
    import torch

    from craftc.training.batched_trials.train import Dropped, Findings, train_batched
    from craftc.training.loop.training import Begun, Failed
    from craftc.training.state.member import Member

    torch.set_num_threads(cpus)
    trials = {trial.id: trial for training in trainings for trial in training}
    num_decided = {trial_id: len(store.history(trial_id)) for trial_id in trials}
    for trial in trials.values():
        store.write_config(trial)

    def goes_on(record: EpochRecord) -> bool:
        # The last line of an interrupted trial may be ahead of its checkpoint, and was decided on before.
        return record.epoch <= num_decided[record.trial] or decide(record)

    file = finding_file(store, trainings[0][0], device=device, cpus=cpus)
    members = [[Member(trial, store.folder(trial.id)) for trial in training] for training in trainings]
    findings = Findings(file.read(), file.write)
    batch = train_batched(members, device=device, findings=findings, decide=goes_on, prepared=store.prepared)
    with closing(batch) as told:
        for item in told:
            if isinstance(item, str):
                yield item
            elif isinstance(item, Begun):
                yield TrialStarted(trial=item.trial, epoch=item.epoch, warning=item.warning)
            elif isinstance(item, EpochRecord):
                yield EpochEnded(record=item)
            elif isinstance(item, Dropped):
                planned = trials[item.trial].epochs
                yield TrialPruned(trial=item.trial, epoch=item.epoch, epochs_planned=planned)
            elif isinstance(item, Failed):
                yield Lost(item.trial, item.error)
            else:
                store.write_result(item, weights=weights_of(trials[item.trial]))
                yield TrialFinished(result=item)
