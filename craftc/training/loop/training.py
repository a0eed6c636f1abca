"""Holds a training: its state, and the members that are read off it, with their records and ends."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Execution, Metrics, Result
from craftc.training.assemble import Parts
from craftc.training.data.by_role import watched
from craftc.training.data.device_split import DeviceSplit, num_batches
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import Pulse
from craftc.training.loop.conclude import Examiner
from craftc.training.loop.epoch import train_epoch
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.state.checkpoint import State, save
from craftc.training.state.history import append_record
from craftc.training.state.member import Member
from craftc.training.state.write_buffer import WriteBuffer


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


@dataclass
class Training:
    """One training. `members` are the trials that are read off it and have not ended; the parts hold its state.

    `train` is what steps take their batches of; `execution` is how it was trained so far. What it writes may wait in
    the `write_buffer`.
    """

    members: list[Member]
    parts: Parts
    splits: dict[str, DeviceSplit]
    train: DeviceSplit
    examiner: Examiner
    batch_size: int
    execution: Execution = field(default_factory=Execution)
    write_buffer: WriteBuffer = field(default_factory=WriteBuffer)

    @property
    def trial(self) -> Trial:
        """The one under whose name an epoch is recorded first."""
        return self.members[0].trial

    @property
    def epoch(self) -> int:
        """The epoch to be trained next; counts from 1."""
        return self.members[0].progress.epoch + 1

    @property
    def first_step(self) -> int:
        """The first step of that epoch; counts from 0 over the whole training."""
        return self.members[0].progress.step

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the train split."""
        return num_batches(len(self.train), self.batch_size)

    def begun(self) -> Iterator[Begun]:
        """How far each trial is."""
        return (Begun(member.trial.id, member.progress.epoch) for member in self.members)

    def train_epoch(self) -> EpochRecord:
        """Train the next epoch, then measure the splits that training may read. Raises TrainingError `nan-loss`."""
        start = time.perf_counter()
        epoch, first_step = self.epoch, self.first_step
        pulse = Pulse(self.members[0].folder if self.parts.workers.is_first else None)
        trained = train_epoch(
            self.parts, self.train, epoch=epoch, first_step=first_step, batch_size=self.batch_size, pulse=pulse
        )
        measured = evaluate_splits(
            self.parts, self.splits, watched(self.splits, self.trial), epoch=epoch, batch_size=self.batch_size
        )
        measured |= self.examiner.at_epoch(self.trial, epoch)
        return self.record(trained | measured, time.perf_counter() - start)

    def record(self, metrics: Metrics, seconds: float) -> EpochRecord:
        """What the next epoch came to."""
        step = self.first_step + self.steps_per_epoch
        return EpochRecord(trial=self.trial.id, epoch=self.epoch, step=step, metrics=metrics, seconds=seconds)

    def take(self, record: EpochRecord) -> tuple[list[EpochRecord], list[Failed]]:
        """Take in an epoch that was trained: returns each member's own record, not yet on disk, and the members that it
        ends."""
        records = [member.sees(record) for member in self.members]
        going = [_after(member, own) for member, own in zip(self.members, records, strict=True)]
        self.members = [item for item in going if isinstance(item, Member)]
        if self.members:
            self.parts.schedule.observe(record.epoch, record.metrics, self.parts.metric_set.metrics)
        kept = [own for own, item in zip(records, going, strict=True) if isinstance(item, Member)]
        return kept, [item for item in going if isinstance(item, Failed)]

    def after(self, record: EpochRecord) -> Iterator[EpochRecord | Failed]:
        """Take in an epoch, and yield its records once they are on disk, or wait to be."""
        kept, failed = self.take(record)
        yield from failed
        if self.parts.workers.is_first and kept:
            save_trainings([(self, kept)], self.write_buffer)
        yield from kept

    def ended(self) -> Iterator[Result | Failed]:
        """The ends of the members whose training is over; the others stay."""
        over = [member for member in self.members if member.is_over]
        self.members = [member for member in self.members if not member.is_over]
        return (self._conclude(member) for member in over)

    def drop(self, trial: str) -> None:
        """A trial was decided to end here."""
        self.members = [member for member in self.members if member.trial.id != trial]

    def _conclude(self, member: Member) -> Result | Failed:
        try:
            if not member.progress.is_best:
                # Its best weights are read.
                self.write_buffer.put()
            result = self.examiner.conclude(member)
            given = self.execution
            how = {"batched": given.batched, "alone_because": given.alone_because}
            how |= {"trained_because": given.trained_because}
            return result.model_copy(update={"execution": result.execution.model_copy(update=how)})
        except Exception as error:
            # Of a metric or a model in the user's own code, too: what is wrong with one trial's end is not the others'.
            return Failed(member.trial.id, error)


def _after(member: Member, own: EpochRecord) -> Member | Failed:
    try:
        return member.after(own)
    except TrainingError as error:
        return Failed(member.trial.id, error)


def save_trainings(
    taken: Sequence[tuple[Training, Sequence[EpochRecord]]], write_buffer: WriteBuffer | None = None
) -> None:
    """Put an epoch of several trainings on the disk, each with the records of its members. Lines, last, best: a kill
    between two of them leaves what `find_starts` can mend."""
    lines = [
        append_record(member.folder, record)
        for training, records in taken
        for member, record in zip(training.members, records, strict=True)
    ]
    states = [
        State(training.members, [member for member in training.members if member.keeps_best], training.parts)
        for training, _ in taken
    ]
    save(states, flush=lines, write_buffer=write_buffer)
