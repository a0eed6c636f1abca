"""Trains the trainings of one group that are best trained as one batch, and reports what happens to their trials."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Execution, Metrics
from craftc.schemas.terms import objective_kind
from craftc.training.batched_trials.compatibility import NothingToSeeError, unlike
from craftc.training.batched_trials.evaluate import Evaluator
from craftc.training.batched_trials.speed import is_worthwhile, measured, room_for, sizes, why_not
from craftc.training.batched_trials.trial_batch import Batch
from craftc.training.data.by_role import watched
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import Pulse
from craftc.training.loop.train_steps import came_to
from craftc.training.loop.training import Failed, Told, Training, save_trainings
from craftc.training.loop.trial import Ground, course_in, lay_ground, open_training
from craftc.training.state.checkpoint import State, save
from craftc.training.state.member import Member
from craftc.training.state.resume import Start, find_starts
from craftc.training.state.within_record import Checkpoints

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dropped:
    """A trial was decided to end behind `epoch`."""

    trial: str
    epoch: int


@dataclass(frozen=True)
class Findings:
    """What is known of a group before it is tried, and how a finding is kept."""

    known: BatchFinding | None
    keep: Callable[[BatchFinding], None]


def train_batched(
    members: Sequence[Sequence[Member]],
    *,
    device: str,
    findings: Findings,
    decide: Callable[[EpochRecord], bool] = lambda record: True,
    prepared: Path | None = None,
) -> Generator[Told | Dropped | str, None, None]:
    """Train trials of one group, each item of `members` those of one training; yields what `train_together` does.

    What is not worth a batch, or cannot be in one, is left as it stands, with all that is on disk of it, and so is what
    fails by other than a loss that is no number: train it alone to see. A text that is yielded says why it is left.
    """
    ground = lay_ground(members[0][0].trial, device, prepared)
    if ground.train.sent_to is not None:
        yield "their train split does not fit on the device"
        return
    queue = _Queue(members, ground)
    trainings: list[Training] = []
    try:
        finding = _finding(queue, trainings, findings)
    except (_TooLittleError, NothingToSeeError):
        return
    size = finding.best_size(len(members))
    if size == 1:
        yield finding.because or "a batch is not faster here"
        return
    run = _Run(queue, size, decide)
    yield from run.go(trainings)


def has_too_little(trainings: Sequence[Sequence[Trial]], *, device: str, prepared: Path | None = None) -> bool:
    """Whether all of a group is less than repays to find out how it is best trained. Raises what `lay_ground` does."""
    ground = lay_ground(trainings[0][0], device, prepared)
    steps = sum(max(course_in(ground, trial)[0].num_steps for trial in training) for training in trainings)
    return not is_worthwhile(len(trainings), steps, ground.device)


class _TooLittleError(Exception):
    """There is too little to train."""


def _finding(queue: "_Queue", trainings: list[Training], findings: Findings) -> BatchFinding:
    """What is known, or found out now; opens trainings, in `trainings`, for that."""
    ground, num_trainings, known = queue.ground, len(queue), findings.known
    wanted, is_worth_it = max(sizes(num_trainings, ground.device)), queue.is_worthwhile()
    if known is not None and known.leaves_open(wanted) and is_worth_it:
        # It was measured with fewer.
        known = None
    if known is not None and (size := known.best_size(num_trainings)) == 1:
        return known
    if known is not None:
        if not queue.fill(trainings, size):
            raise _TooLittleError
        # Tried again, since what was known may have been so of other code.
        batch_size = trainings[0].course.samples_per_step
        reason = why_not([training.parts for training in trainings], ground.train, batch_size=batch_size)
        return known if reason is None else BatchFinding(because=_spelt_out(reason, trainings[0]))
    if not is_worth_it:
        raise _TooLittleError
    finding = _found_out(queue, trainings, wanted)
    findings.keep(finding)
    return finding


def _found_out(queue: "_Queue", trainings: list[Training], wanted: int) -> BatchFinding:
    """Try two trainings, then measure as many of the `wanted` as the device has room for."""
    train = queue.ground.train
    queue.fill(trainings, 2)
    if len(trainings) < 2:
        raise _TooLittleError
    batch_size = trainings[0].course.samples_per_step
    reason = why_not([training.parts for training in trainings], train, batch_size=batch_size)
    if reason is None:
        fitting, training_bytes = room_for(trainings[0].parts, train, batch_size=batch_size)
        queue.fill(trainings, min(fitting, wanted))
        parts = [training.parts for training in trainings]
        reason = unlike(parts)
    if reason is not None:
        return BatchFinding(because=_spelt_out(reason, trainings[0]))
    seconds = measured(parts[:fitting], train, batch_size=batch_size)
    return BatchFinding(seconds=seconds, training_bytes=training_bytes, most=fitting if fitting < wanted else None)


def _spelt_out(reason: str, training: Training) -> str:
    """With the kind of the part that is to blame."""
    part, _, rest = reason.partition(":")
    config = training.trial.config
    kinds = {
        "model": config["model"]["kind"],
        "objective": objective_kind(config["objective"]),
        "optimizer": config["training"]["optimizer"]["kind"],
    }
    return f"{part} {kinds[part]}:{rest}" if part in kinds else reason


class _Queue:
    """The trainings that wait."""

    def __init__(self, trainings: Sequence[Sequence[Member]], ground: Ground) -> None:
        self.ground = ground
        self._waiting: deque[Start | Sequence[Member]] = deque(trainings)

    def __len__(self) -> int:
        return len(self._waiting)

    def num_steps(self) -> int:
        """That all of them take at most."""
        trials = [training[0].trial for training in self._waiting if not isinstance(training, Start)]
        return sum(course_in(self.ground, trial)[0].num_steps for trial in trials)

    def is_worthwhile(self) -> bool:
        """Whether that repays a measurement."""
        return is_worthwhile(len(self), self.num_steps(), self.ground.device)

    def fill(self, trainings: list[Training], size: int) -> list[Training]:
        """Open trainings until there are `size`; those that are new. One that cannot be opened is left."""
        opened: list[Training] = []
        while self._waiting and len(trainings) < size:
            training = self._open(self._waiting.popleft())
            if training is not None:
                trainings.append(training)
                opened.append(training)
        return opened

    def _open(self, item: Start | Sequence[Member]) -> Training | None:
        try:
            if not isinstance(item, Start):
                item, *others = find_starts(item, torch.device("cpu"))
                self._waiting.extend(others)
            return open_training(item, self.ground)
        except Exception as error:
            log.warning("a training is left out of its batch: %s", error)
            return None


class _Run:
    """A batch from its first step to its last, while trainings enter and leave it."""

    def __init__(self, queue: _Queue, size: int, decide: Callable[[EpochRecord], bool]) -> None:
        self._queue, self._size, self._decide = queue, size, decide
        self._trainings: list[Training] = []
        self._batch: Batch | None = None
        self._evaluator = Evaluator()

    def go(self, trainings: list[Training]) -> Iterator[Told | Dropped | str]:
        """Train until none is left. Of `trainings`, which are open, those beyond the batch's size wait."""
        entering, later = trainings[: self._size], deque(trainings[self._size :])
        # The caller's list would hold every training to the end.
        trainings.clear()
        yield from self._enter(entering)
        del entering
        while self._trainings:
            try:
                yield from self._record()
            except torch.OutOfMemoryError as error:
                yield f"a batch of {len(self._trainings)} does not fit: {error}"
                return
            free = self._size - len(self._trainings)
            entering = [later.popleft() for _ in range(min(free, len(later)))]
            entering += self._queue.fill([*self._trainings, *entering], self._size)
            yield from self._enter(entering)

    def _enter(self, trainings: Sequence[Training]) -> Iterator[Told]:
        for training in trainings:
            if (reason := unlike([*(other.parts for other in self._trainings[:1]), training.parts])) is not None:
                log.warning("trial %s is left out of its batch: %s", training.trial.id[:12], reason)
                continue
            yield from training.begun()
            yield from training.ended()
            if training.members:
                self._trainings.append(training)

    def _record(self) -> Iterator[Told | Dropped]:
        """The next record of those that are furthest behind, and of all that take as many steps up to their own."""
        start = time.perf_counter()
        furthest_behind = min(self._trainings, key=lambda training: training.step)
        trainings = [each for each in self._trainings if _rhythm(each) == _rhythm(furthest_behind)]
        batch = self._batch_of(trainings)
        self._train(batch, trainings, start)
        splits, steps = trainings[0].splits, [training.step for training in trainings]
        epochs, names = [training.epoch for training in trainings], watched(splits, trainings[0].trial)
        measured = self._evaluator.measure(batch, splits, names, epochs, steps, trainings[0].batch_size)
        seconds = (time.perf_counter() - start) / len(trainings)
        taken: list[tuple[Training, list[EpochRecord]]] = []
        for training, of_splits in zip(trainings, measured, strict=True):
            training.execution = Execution(batched=max(training.execution.batched, len(trainings)))
            yield from self._take(training, of_splits, seconds, taken)
        # Of all at once, which the disk answers with one commit.
        save_trainings(taken)
        for training, records in taken:
            yield from self._tell(training, records)
        out = {id(each) for each in trainings} - {id(training) for training, _ in taken if training.members}
        self._trainings = [training for training in self._trainings if id(training) not in out]

    def _batch_of(self, trainings: Sequence[Training]) -> Batch:
        parts = [training.parts for training in trainings]
        if self._batch is None or [id(each) for each in self._batch.parts] != [id(each) for each in parts]:
            self._batch = Batch(parts, None if self._batch is None else self._batch.template)
        return self._batch

    def _train(self, batch: Batch, trainings: Sequence[Training], start: float) -> None:
        """The steps up to the end of a record, with states within it on the disk."""
        first, runnings = trainings[0], [training.begin() for training in trainings]
        before = [running.seconds for running in runnings]
        pulses = [Pulse(training.members[0].folder) for training in trainings]

        def beat() -> None:
            if pulses[0].is_due:
                for pulse, training, running in zip(pulses, trainings, runnings, strict=True):
                    length = training.course.end_of(training.epoch) - running.first_step
                    pulse.beat(training.epoch, running.step - running.first_step, length)

        def save_within() -> None:
            for running, seconds in zip(runnings, before, strict=True):
                running.seconds = seconds + (time.perf_counter() - start) / len(trainings)
            save([State(each.members, [], each.parts, each.running) for each in trainings])

        checkpoints, end = Checkpoints(first.trial.checkpoint_every, save_within), first.next_end
        while first.step < end:
            num_steps = checkpoints.next_look(first.step, end)
            batch.train_steps(first.train, first.course, runnings, num_steps, beat=beat)
            if first.step < end:
                checkpoints.after(first.step)
        for pulse in pulses:
            pulse.rest()
        for running, seconds in zip(runnings, before, strict=True):
            running.seconds = seconds

    def _take(
        self,
        training: Training,
        of_splits: Metrics | Exception,
        seconds: float,
        taken: list[tuple[Training, list[EpochRecord]]],
    ) -> Iterator[Failed]:
        """Add a record of one training to those `taken`. What failed there is left out, to be trained alone, but for a
        loss that is no number, which nothing would mend."""
        try:
            running = training.running
            assert running is not None
            trained = came_to(training.parts, running, training.epoch)
            if isinstance(of_splits, Exception):
                raise of_splits
            records, failed = training.take(training.record(trained | of_splits, running.seconds + seconds))
        except Exception as error:
            if isinstance(error, TrainingError) and error.code == "nan-loss":
                yield from (Failed(member.trial.id, error) for member in training.members)
            else:
                log.warning("trial %s is left out of its batch: %s", training.trial.id[:12], error)
            return
        yield from failed
        if records:
            taken.append((training, records))

    def _tell(self, training: Training, records: Sequence[EpochRecord]) -> Iterator[Told | Dropped]:
        for record in records:
            yield record
            if not self._decide(record):
                training.drop(record.trial)
                yield Dropped(record.trial, record.epoch)
        yield from training.ended()


def _rhythm(training: Training) -> tuple[int, int]:
    """The place in a pass, and the steps to the end of a record: trainings that have both in common can take steps
    together up to there."""
    return training.step % training.course.steps_per_pass, training.next_end - training.step
