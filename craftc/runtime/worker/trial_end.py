"""How a trial ends: by what the store holds of it already, or by an event."""

from collections.abc import Sequence

from craftc.runtime.jobs.decide import Decide
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Event, TrialFailed, TrialFinished, TrialPruned


def end_in_store(trial: Trial, store: Store, decide: Decide) -> Event | None:
    """The end that the store holds already: a result, or a recorded epoch at which `decide` stops; else None."""
    if store.is_finished(trial.id):
        return reuse(trial, store, decide)
    stopped = stopped_at(store.history(trial.id), decide)
    return None if stopped is None else pruned(trial, stopped)


def reuse(trial: Trial, store: Store, decide: Decide) -> Event:
    """The end of a trial that is finished."""
    result = store.result(trial.id)
    stopped = stopped_at(store.history(trial.id), decide)
    return TrialFinished(result=result, reused=True) if stopped is None else pruned(trial, stopped)


def stopped_at(history: Sequence[EpochRecord], decide: Decide) -> int | None:
    """The epoch behind which `decide` stops, or None."""
    return next((record.epoch for record in history if not decide(record)), None)


def pruned(trial: Trial, epoch: int) -> TrialPruned:
    return TrialPruned(trial=trial.id, epoch=epoch, epochs_planned=trial.epochs)


def ended_by(event: Event) -> set[str]:
    """The trial that ends with this event; empty where none does."""
    match event:
        case TrialFinished(result=result):
            return {result.trial}
        case TrialFailed(trial=trial) | TrialPruned(trial=trial):
            return {trial}
    return set()
