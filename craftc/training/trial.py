"""Trials of the same steps in, their epochs one by one and their results out; what was interrupted goes on where it
stopped."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.assemble import Parts, assemble
from craftc.training.batches import DeviceSplit, num_batches, to_device
from craftc.training.checkpoint import save
from craftc.training.conclude import Examiner
from craftc.training.epoch import train_epoch
from craftc.training.errors import TrainingError
from craftc.training.evaluate import evaluate_splits
from craftc.training.frozen_features import prepare_inputs, trained_part
from craftc.training.history import append_record
from craftc.training.member import Member, unite
from craftc.training.resume import Start, find_starts, go_on
from craftc.training.share_out import TEST
from craftc.training.team import SOLO, Team


@dataclass(frozen=True)
class Begun:
    """A trial is trained from behind `epoch` on."""

    trial: str
    epoch: int


@dataclass(frozen=True)
class Failed:
    """A trial has no result, while the others go on."""

    trial: str
    error: Exception


Told = Begun | EpochRecord | Result | Failed


def train_trial(
    trial: Trial, *, folder: Path, device: str, team: Team = SOLO, prepared: Path | None = None
) -> Generator[EpochRecord, None, Result]:
    """Train `trial` on `device` ("cpu", "cuda", "cuda:1"), with its files in `folder`; its data may be in `prepared`.

    A generator: yields each epoch's record once its line in metrics.jsonl and its checkpoint are on disk, and returns
    the Result. Closing it leaves the trial resumable. On the CPU, with the same number of threads, a resumed trial
    equals a straight one bit by bit. Raises DataError and TrainingError.

    Every worker of a `team` runs the same generator, and yields and returns the same; the first alone reads and
    writes files. The numbers are those of a team of one, but for rounding, and for what a model draws from the
    global generators.
    """
    with closing(train_together([Member(trial, folder)], device=device, team=team, prepared=prepared)) as told:
        for item in told:
            if isinstance(item, EpochRecord):
                yield item
            elif isinstance(item, Failed):
                raise item.error
            elif isinstance(item, Result):
                return item
    raise AssertionError("a trial ends in a result or an error")


def train_together(
    members: Sequence[Member], *, device: str, team: Team = SOLO, prepared: Path | None = None
) -> Generator[Told, None, None]:
    """Train trials of one train stage at once: the steps of the longest, each trial's own records and end.

    Yields what `train_trial` would yield, return or raise for each of them, in the order in which it happens, and ends
    when all have ended. On the CPU, with the same number of threads, every number is bit by bit that of the trial
    trained alone. Members that are not equally far, after an interruption, are trained in turn.
    Raises what concerns all that have not ended.
    """
    data = prepare_inputs(members[0].trial, torch.device(device), prepared)
    splits = to_device(data.splits, torch.device(device))
    batch_size = members[0].trial.config["training"]["batch_size"]
    steps_per_epoch = num_batches(len(splits["train"]), batch_size)
    # What several ask for, or is shared with other workers, must not fill a device or be on one of this worker.
    loading = torch.device(device) if team.size == len(members) == 1 else torch.device("cpu")
    starts: list[Start] = team.share(find_starts(members, loading) if team.is_first else [])
    while starts:
        start = starts.pop(0)
        united = trained_part(unite([member.trial for member in start.members]))
        parts = assemble(united, data, torch.device(device), steps_per_epoch, team)
        go_on(start, parts)
        begun, start.state = start.members, None
        examiner = Examiner(parts, splits, data.class_counts, batch_size=batch_size, keeps=len(begun) > 1)
        yield from _train(begun, parts, splits, examiner, batch_size)


def _train(
    members: list[Member], parts: Parts, splits: dict[str, DeviceSplit], examiner: Examiner, batch_size: int
) -> Generator[Told, None, None]:
    """From the state in the parts until all members, equally far, have ended."""
    yield from (Begun(member.trial.id, member.progress.epoch) for member in members)
    while True:
        for member in members:
            if member.is_over:
                yield _conclude(member, examiner)
        members = [member for member in members if not member.is_over]
        if not members:
            return
        # Shared, so that every worker decides on the same digits.
        record = parts.team.share(_train_epoch(members[0], parts, splits, batch_size))
        records = [member.sees(record) for member in members]
        going = [_after(member, own) for member, own in zip(members, records, strict=True)]
        yield from (item for item in going if isinstance(item, Failed))
        members = [item for item in going if isinstance(item, Member)]
        if not members:
            return
        parts.schedule.observe(record.epoch, record.metrics)
        kept = [own for own, item in zip(records, going, strict=True) if isinstance(item, Member)]
        if parts.team.is_first:
            _save(members, kept, parts)
        yield from kept


def _train_epoch(member: Member, parts: Parts, splits: dict[str, DeviceSplit], batch_size: int) -> EpochRecord:
    """Train the next epoch, then measure every split but test."""
    start = time.perf_counter()
    epoch, first_step = member.progress.epoch + 1, member.progress.step
    train = splits["train"] if parts.recomputed is None else parts.recomputed.train
    trained = train_epoch(parts, train, epoch=epoch, first_step=first_step, batch_size=batch_size)
    seen = [name for name in splits if name != TEST]
    measured = evaluate_splits(parts, splits, seen, epoch=epoch, batch_size=batch_size)
    return EpochRecord(
        trial=member.trial.id,
        epoch=epoch,
        step=first_step + num_batches(len(splits["train"]), batch_size),
        metrics=trained | measured,
        seconds=time.perf_counter() - start,
    )


def _after(member: Member, own: EpochRecord) -> Member | Failed:
    try:
        return member.after(own)
    except TrainingError as error:
        return Failed(member.trial.id, error)


def _save(members: Sequence[Member], records: Sequence[EpochRecord], parts: Parts) -> None:
    """Lines, last, best: a kill between two of them leaves what `find_starts` can mend."""
    lines = [append_record(member.folder, record) for member, record in zip(members, records, strict=True)]
    save(members, [member for member in members if member.keeps_best], parts, flush=lines)


def _conclude(member: Member, examiner: Examiner) -> Result | Failed:
    try:
        return examiner.conclude(member)
    except Exception as error:
        # Of a metric or a model in the user's own code, too: what is wrong with one trial's end is not the others'.
        return Failed(member.trial.id, error)


def num_epochs_trained(trial: Trial, folder: Path) -> int:
    """Epochs behind which `train_trial` will go on; 0 for a new trial, and for one whose checkpoint is damaged."""
    [start] = find_starts([Member(trial, folder)], torch.device("cpu"))
    return start.members[0].progress.epoch
