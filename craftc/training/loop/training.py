"""Holds a training: its state, and the members that are read off it, with their records and ends."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Execution, Metrics, Result
from craftc.training.assemble import Parts
from craftc.training.data.by_role import watched
from craftc.training.data.device_split import DeviceSplit
from craftc.training.data.tokens import Tokens
from craftc.training.foundation.course import Course
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import Pulse
from craftc.training.foundation.random import RandomState, key, random_state, seed_everything, set_random_state
from craftc.training.loop.conclude import Examiner
from craftc.training.loop.estimate_norms import estimate_norms
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.train_steps import begin_record, came_to, train_steps
from craftc.training.state.checkpoint import State, save
from craftc.training.state.history import append_record
from craftc.training.state.member import Member
from craftc.training.state.running import Running
from craftc.training.state.within_record import Checkpoints
from craftc.training.state.write_buffer import WriteBuffer


@dataclass(frozen=True)
class Begun:
    """A trial is trained from behind `epoch` on. `warning` says what of it was damaged."""

    trial: str
    epoch: int
    warning: str | None = None


@dataclass(frozen=True)
class Failed:
    """A trial has no result, while the others go on."""

    trial: str
    error: Exception


Told = Begun | EpochRecord | Result | Failed


@dataclass
class Training:
    """One training. `members` are the trials that are read off it and have not ended; the parts hold its state.

    `train` is what steps take their batches of, for as long as the `course` of the longest member; `tokens` are counted
    where a member asks for it. `execution` is how it was trained so far. What it writes may wait in the `write_buffer`.
    `running` is the record in the making, and
    `random` the state of the global generators where a pass is in the making; None where there is none.
    """

    members: list[Member]
    parts: Parts
    splits: dict[str, DeviceSplit]
    train: DeviceSplit
    examiner: Examiner
    course: Course
    tokens: Tokens | None = None
    execution: Execution = field(default_factory=Execution)
    write_buffer: WriteBuffer = field(default_factory=WriteBuffer)
    running: Running | None = None
    random: RandomState | None = None

    @property
    def trial(self) -> Trial:
        """The one under whose name an epoch is recorded first."""
        return self.members[0].trial

    @property
    def batch_size(self) -> int:
        """Samples of a batch."""
        size: int = self.trial.config["training"]["batch_size"]
        return size

    @property
    def epoch(self) -> int:
        """The record to be made next; counts from 1."""
        return self.members[0].progress.epoch + 1

    @property
    def step(self) -> int:
        """The step to be taken next; counts from 0 over the whole training."""
        return self.members[0].progress.step if self.running is None else self.running.step

    @property
    def next_end(self) -> int:
        """The number of steps that are taken when a member's record ends next: they begin together, and the last of a
        shorter member may be the shorter one."""
        return min(member.next_end for member in self.members)

    def begun(self) -> Iterator[Begun]:
        """How far each trial is."""
        return (Begun(member.trial.id, member.progress.epoch, member.fault) for member in self.members)

    def train_record(self) -> EpochRecord:
        """Train to the next end of a record, then measure the splits that training may read. Raises TrainingError
        `nan-loss`."""
        start = time.perf_counter()
        running = self.begin()
        before = running.seconds

        def save_within() -> None:
            running.seconds = before + time.perf_counter() - start
            self.save_within()

        is_first = self.parts.workers.is_first
        train_steps(
            self.parts,
            self.train,
            self.course,
            running,
            self.next_end,
            record=self.epoch,
            pulse=Pulse(self.members[0].folder if is_first else None),
            checkpoints=Checkpoints(self.trial.checkpoint_every if is_first else None, save_within),
        )
        self.pause()
        trained = came_to(self.parts, running, self.epoch)
        estimate_norms(self.parts, self.train, batch_size=self.batch_size, num_steps=running.step)
        measured = evaluate_splits(
            self.parts,
            self.splits,
            watched(self.splits, self.trial),
            epoch=self.epoch,
            batch_size=self.batch_size,
            num_steps=running.step,
        )
        measured |= self.examiner.at_epoch(self.trial, self.epoch, running.step)
        running.seconds = before + time.perf_counter() - start
        return self.record(trained | measured, running.seconds)

    def begin(self) -> Running:
        """The record in the making, or a new one; the global generators are as they were when it was left."""
        if self.random is not None:
            set_random_state(self.random, self.parts.device)
        elif self.course.is_within_pass(self.step):
            # It was in a batch before, which draws nothing from them.
            pass_ = self.course.stretch(self.step, self.step + 1).pass_
            seed_everything(key(self.parts.seed, "epoch", pass_), self.parts.device)
        self.random = None
        if self.running is None:
            self.running = begin_record(self.parts, self.step)
        return self.running

    def pause(self) -> None:
        """Steps are taken, and something else may draw random numbers now; a pass begins with its own."""
        self.random = random_state(self.parts.device) if self.course.is_within_pass(self.step) else None

    def save_within(self) -> None:
        """Put the state within a record on the disk."""
        random = random_state(self.parts.device) if self.course.is_within_pass(self.step) else None
        save([State(self.members, [], self.parts, self.running, random)], write_buffer=self.write_buffer)

    def record(self, metrics: Metrics, seconds: float) -> EpochRecord:
        """What the steps so far of the next record came to."""
        counted = {} if self.tokens is None else {"train/tokens": float(self.tokens.after(self.step))}
        return EpochRecord(
            trial=self.trial.id, epoch=self.epoch, step=self.step, metrics=metrics | counted, seconds=seconds
        )

    def take(self, record: EpochRecord) -> tuple[list[EpochRecord], list[Failed]]:
        """Take in a record of the steps so far: returns that of each member whose record ends here, not yet on disk,
        and the members that it ends."""
        going = [
            _after(member, member.sees(record)) if member.next_end == record.step else member for member in self.members
        ]
        kept = [
            member.sees(record)
            for member, item in zip(self.members, going, strict=True)
            if isinstance(item, Member) and item is not member
        ]
        self.members = [item for item in going if isinstance(item, Member)]
        if all(member.progress.step == record.step for member in self.members):
            self.running = None
            if self.members:
                self.parts.schedule.observe(record, self.parts.metric_set.metrics)
        return kept, [item for item in going if isinstance(item, Failed)]

    def after(self, record: EpochRecord) -> Iterator[EpochRecord | Failed]:
        """Take in a record, and yield those of the members once they are on disk, or wait to be."""
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
    """Put records of several trainings on the disk, each with those of its members. Lines, last, best: a kill between
    two of them leaves what `find_starts` can mend."""
    lines: list[Path] = []
    states: list[State] = []
    for training, records in taken:
        of_trial = {record.trial: record for record in records}
        recorded = [member for member in training.members if member.trial.id in of_trial]
        lines += [append_record(member.folder, of_trial[member.trial.id]) for member in recorded]
        best = [member for member in recorded if member.keeps_best]
        keep = [member for member in recorded if member.keeps_weights]
        states.append(State(training.members, best, training.parts, training.running, training.random, keep))
    save(states, flush=lines, write_buffer=write_buffer)
