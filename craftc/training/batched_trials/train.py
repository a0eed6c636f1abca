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
from craftc.training.data.device_split import num_batches
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import Pulse
from craftc.training.loop.training import Failed, Told, Training, save_trainings
from craftc.training.loop.trial import Ground, lay_ground, open_training
from craftc.training.state.member import Member
from craftc.training.state.resume import Start, find_starts

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
    steps = sum(
        max(trial.epochs for trial in training)
        * num_batches(len(ground.train), training[0].config["training"]["batch_size"])
        for training in trainings
    )
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
        reason = why_not([training.parts for training in trainings], ground.train, batch_size=trainings[0].batch_size)
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
    batch_size = trainings[0].batch_size
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
        num_samples = len(self.ground.train)
        return sum(trial.epochs * num_batches(num_samples, trial.config["training"]["batch_size"]) for trial in trials)

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
    """A batch from its first epoch to its last, while trainings enter and leave it."""

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
                yield from self._epoch()
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

    def _epoch(self) -> Iterator[Told | Dropped]:
        """One epoch of all, each its own next."""
        start = time.perf_counter()
        trainings = list(self._trainings)
        if self._batch is None or [id(each) for each in self._batch.parts] != [
            id(training.parts) for training in trainings
        ]:
            template = None if self._batch is None else self._batch.template
            self._batch = Batch([training.parts for training in trainings], template)
        epochs, first_steps = (
            [training.epoch for training in trainings],
            [training.first_step for training in trainings],
        )
        train, batch_size = trainings[0].train, trainings[0].batch_size
        pulses = [Pulse(training.members[0].folder) for training in trainings]
        trained = self._batch.train_epoch(
            train, epochs=epochs, first_steps=first_steps, batch_size=batch_size, pulses=pulses
        )
        splits = trainings[0].splits
        measured = self._evaluator.measure(self._batch, splits, watched(splits, trainings[0].trial), epochs, batch_size)
        seconds = (time.perf_counter() - start) / len(trainings)
        taken: list[tuple[Training, list[EpochRecord]]] = []
        for training, of_steps, of_splits in zip(trainings, trained, measured, strict=True):
            training.execution = Execution(batched=max(training.execution.batched, len(trainings)))
            yield from self._take(training, of_steps, of_splits, seconds, taken)
        # Of all at once, which the disk answers with one commit.
        save_trainings(taken)
        for training, records in taken:
            yield from self._tell(training, records)
        self._trainings = [training for training, _ in taken if training.members]

    def _take(
        self,
        training: Training,
        of_steps: Metrics | Exception,
        of_splits: Metrics | Exception,
        seconds: float,
        taken: list[tuple[Training, list[EpochRecord]]],
    ) -> Iterator[Failed]:
        """Add an epoch of one training to those `taken`. What failed there is left out, to be trained alone, but for a
        loss that is no number, which nothing would mend."""
        try:
            metrics: Metrics = {}
            for found in (of_steps, of_splits):
                if isinstance(found, Exception):
                    raise found
                metrics |= found
            records, failed = training.take(training.record(metrics, seconds))
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
