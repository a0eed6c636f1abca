"""Makes the Result of a trial from the weights of a finished one of the same training; no step is taken."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics, Result
from craftc.training.data.by_role import final, watched
from craftc.training.foundation.best import Best
from craftc.training.loop.conclude import Examiner
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.trial import lay_ground, open_training
from craftc.training.state.checkpoint import load_best, read_last, restore, save_best
from craftc.training.state.history import write_history
from craftc.training.state.member import Member
from craftc.training.state.progress import Progress
from craftc.training.state.resume import Start


@dataclass(frozen=True)
class Finished:
    """A trial that was trained: its files, its result, and what it recorded of each epoch."""

    folder: Path
    result: Result
    history: Sequence[EpochRecord]


def read_off(trial: Trial, folder: Path, source: Finished, *, device: str, prepared: Path | None = None) -> Result:
    """Measure the best weights of `source`, which are those that `trial` would come to, as `trial` asks for.

    What `source` measured is taken from its result. A metric that it has not is measured of its best and its last
    weights; earlier epochs do not have it. The weights and the history are then in `folder`, too.
    Raises TrainingError `checkpoint-corrupt` where the weights cannot be read, DataError, and what measuring raises.
    """
    result = source.result
    ground = lay_ground(trial, device, prepared)
    trained = trial.model_copy(update={"id": result.trial})
    member = Member(trial, folder)
    folder.mkdir(parents=True, exist_ok=True)
    training = open_training(Start([member]), ground)
    parts, examiner, [member] = training.parts, training.examiner, training.members
    last, best = result.last, result.best
    splits = [*watched(training.splits, trial), *final(training.splits, trial)]
    lacks = [name for name in ("loss", *member.names) if name not in result.identities]

    def measured(epoch: int) -> Metrics:
        size, num_steps = training.batch_size, training.course.end_of(epoch)
        return evaluate_splits(parts, training.splits, splits, epoch=epoch, num_steps=num_steps, batch_size=size)

    if lacks and result.best_epoch != result.epochs_trained:
        restore(read_last(source.folder, trained, parts.device), parts)
        last = measured(result.epochs_trained) | last
    weights = load_best(source.folder, trained, parts.device, epoch=result.best_epoch)
    parts.evaluated.load_state_dict(weights)
    if lacks:
        best = measured(result.best_epoch) | best
        last = best if result.best_epoch == result.epochs_trained else last
    save_best([replace(member, progress=Progress(epoch=result.best_epoch))], parts)
    write_history(folder, [member.sees(record) for record in source.history])
    return _concluded(examiner, replace(member, progress=_progress(member, result, best, last)), result)


def _progress(member: Member, result: Result, best: Metrics, last: Metrics) -> Progress:
    """As it was after the last epoch."""
    counted = {
        name: count for name, count in result.not_finite.items() if name.partition("/")[2] in ("loss", *member.names)
    }
    return Progress(
        epoch=result.epochs_trained,
        step=result.steps,
        seconds=result.seconds,
        selected=Best(result.best_epoch),
        metrics=member.own(last),
        best_metrics=member.own(best),
        not_finite=counted,
    )


def _concluded(examiner: Examiner, member: Member, result: Result) -> Result:
    examiner.know(member, member.progress.epoch, member.progress.metrics)
    examiner.know(member, member.progress.selected.epoch, member.progress.best_metrics)
    found = examiner.conclude(member)
    # What it is said of how it was trained is as true of this one.
    execution = result.execution.model_copy(update={"read_off": result.trial, "trained_because": None})
    return found.model_copy(
        update={"device": result.device, "execution": execution, "craftc_version": result.craftc_version}
    )
