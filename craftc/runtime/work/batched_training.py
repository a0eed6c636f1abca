"""Trials of one group in; those that are best trained as one batch are, and what happens to them is told."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from craftc.runtime.store.batch_findings import finding_file
from craftc.runtime.store.store import Store
from craftc.runtime.work.shared_training import Lost
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, EpochRecord, Event, TrialFinished, TrialPruned, TrialStarted

if TYPE_CHECKING:
    from craftc.runtime.jobs.decide import Decide


def groups(trainings: Sequence[Sequence[Trial]]) -> list[list[list[Trial]]]:
    """The trainings of a job by their group, in the order in which the first of each comes; those of none alone."""
    found: dict[int | str, list[list[Trial]]] = {}
    for training in trainings:
        first = training[0]
        found.setdefault(first.id if first.group is None else first.group, []).append(list(training))
    return list(found.values())


def is_too_little(trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int) -> bool:
    """Whether trials of a group are too short for a batch, as far as that is known before they are begun."""
    if finding_file(store, trainings[0][0], device=device, cpus=cpus).read() is not None:
        return False
    # Lazily: torch takes 2 s to import.
    from craftc.training.batched_trials.train import has_too_little

    return has_too_little(trainings, device=device, prepared=store.prepared)


def train_group(
    trainings: Sequence[Sequence[Trial]], store: Store, device: str, cpus: int, decide: "Decide"
) -> Iterator[Event | Lost | str]:
    """Train trials that this process has locked and that have no end in the store, as far as a batch is worth it.

    What is not told an end of is to be trained alone, from where it stands; a text says why.
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
                yield TrialStarted(trial=item.trial, epoch=item.epoch)
            elif isinstance(item, EpochRecord):
                yield EpochEnded(record=item)
            elif isinstance(item, Dropped):
                planned = trials[item.trial].epochs
                yield TrialPruned(trial=item.trial, epoch=item.epoch, epochs_planned=planned)
            elif isinstance(item, Failed):
                yield Lost(item.trial, item.error)
            else:
                store.write_result(item)
                yield TrialFinished(result=item)
