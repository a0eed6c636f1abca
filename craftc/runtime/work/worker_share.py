"""One worker's share of a job whose trials have several workers: trials in, the events that it is to tell out."""

from collections.abc import Iterator, Sequence

from craftc.runtime.jobs.decide import Decide
from craftc.runtime.store.store import Store
from craftc.runtime.work.job import end_in_store, failure, train
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event
from craftc.training.loop.trial import train_trial
from craftc.training.parts.worker_group import Team


def run_share(
    trials: Sequence[Trial], *, store: Store, device: str, cpus: int, team: Team, decide: Decide
) -> Iterator[Event]:
    """Train with the others of the team what the store does not hold yet, one trial after another.

    The first worker reads and writes the store, decides, and tells everything; the others tell only what fails with
    them. What fails is told, and then raised: the others may be waiting for this worker, so that the team has to end.
    """
    for trial in trials:
        try:
            if team.is_first:
                yield from _lead(trial, store, device, cpus, team, decide)
            else:
                _follow(trial, store, device, team)
        except Exception as error:
            yield failure(trial, error)
            raise


def _lead(trial: Trial, store: Store, device: str, cpus: int, team: Team, decide: Decide) -> Iterator[Event]:
    with store.lock(trial.id):
        # Another run may have finished it while this one waited.
        end = end_in_store(trial, store, decide)
        if team.share(end is None):
            yield from train(trial, store, device, cpus, decide, team)
        elif end is not None:
            yield end


def _follow(trial: Trial, store: Store, device: str, team: Team) -> None:
    """The same steps as the first worker's, collective by collective; what to do is shared by that one."""
    if not team.share(False):
        return
    folder = store.folder(trial.id)
    for _ in train_trial(trial, folder=folder, device=device, team=team, prepared=store.prepared):
        if not team.share(False):
            return
