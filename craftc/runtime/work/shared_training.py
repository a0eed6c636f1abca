"""Trials that share a training in; what happens to each of them out, as it would if it were trained alone."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, EpochRecord, Event, Execution, TrialFinished, TrialStarted


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
    with closing(train_together(members, device=device, prepared=store.prepared, execution=execution)) as told:
        for item in told:
            if isinstance(item, Begun):
                yield TrialStarted(trial=item.trial, epoch=item.epoch)
            elif isinstance(item, EpochRecord):
                yield EpochEnded(record=item)
            elif isinstance(item, Failed):
                yield Lost(item.trial, item.error)
            else:
                store.write_result(item)
                yield TrialFinished(result=item)
