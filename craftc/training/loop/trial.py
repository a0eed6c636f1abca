"""Trains trials that take the same steps, and yields their epochs one by one and their results; an interrupted training
continues where it stopped."""

import gc
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from craftc.components.sources.columns import Column
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Execution, Result
from craftc.training.assemble import assemble
from craftc.training.compiling.compile_finding import folder_beside
from craftc.training.data.by_role import measured
from craftc.training.data.device_split import SOURCE, DeviceSplit, to_device
from craftc.training.data.prepare import PreparedData
from craftc.training.data.split import Split
from craftc.training.data.tokens import Tokens, find_course
from craftc.training.foundation.course import Course
from craftc.training.foundation.precision import kept_type
from craftc.training.foundation.random import epoch_order
from craftc.training.frozen.frozen_features import prepare_inputs, trained_part
from craftc.training.loop.conclude import Examiner
from craftc.training.loop.training import Begun, Failed, Told, Training
from craftc.training.parts.worker_group import ONE_WORKER, WorkerGroup
from craftc.training.state.checkpoint import running_in
from craftc.training.state.member import Member, unite
from craftc.training.state.resume import Start, find_starts, go_on
from craftc.training.state.write_buffer import WriteBuffer

__all__ = ["Begun", "Failed", "Told", "beginning_of", "num_epochs_trained", "train_together", "train_trial"]

ALONE = Execution()


def train_trial(
    trial: Trial,
    *,
    folder: Path,
    device: str,
    workers: WorkerGroup = ONE_WORKER,
    prepared: Path | None = None,
    execution: Execution = ALONE,
    resident_bytes: float | None = None,
    write_buffer: WriteBuffer | None = None,
) -> Generator[EpochRecord, None, Result]:
    """Train `trial` on `device` ("cpu", "cuda", "cuda:1"), with its files in `folder`; its data may be in `prepared`.

    A generator: yields each record once its line in metrics.jsonl and its checkpoint are on disk, or wait in
    the `write_buffer`, and returns the Result. Closing it leaves the trial resumable. On the CPU, with the same number
    of threads, a resumed trial equals a straight one bit by bit. Raises DataError and TrainingError.

    Every worker of a `workers` runs the same generator, and yields and returns the same; the first alone reads and
    writes files. The numbers are those of a group of one, but for rounding, and for what a model draws from the
    global generators. `execution` is what the result says of how it was trained. Splits beyond `resident_bytes` are
    streamed to the device, which changes no number; None: what the device has room for. A trial's
    `checkpoint_every` changes no number either.
    """
    members = [Member(trial, folder)]
    training = train_together(
        members,
        device=device,
        workers=workers,
        prepared=prepared,
        execution=execution,
        resident_bytes=resident_bytes,
        write_buffer=write_buffer,
    )
    with closing(training) as told:
        for item in told:
            if isinstance(item, EpochRecord):
                yield item
            elif isinstance(item, Failed):
                raise item.error
            elif isinstance(item, Result):
                return item
    raise AssertionError("a trial ends in a result or an error")


def train_together(
    members: Sequence[Member],
    *,
    device: str,
    workers: WorkerGroup = ONE_WORKER,
    prepared: Path | None = None,
    execution: Execution = ALONE,
    resident_bytes: float | None = None,
    write_buffer: WriteBuffer | None = None,
) -> Generator[Told, None, None]:
    """Train trials of one train stage at once: the steps of the longest, each trial's own records and end.

    Yields what `train_trial` would yield, return or raise for each of them, in the order in which it happens, and ends
    when all have ended. On the CPU, with the same number of threads, every number is bit by bit that of the trial
    trained alone. Members that are not equally far, after an interruption, are trained in turn.
    Raises what concerns all that have not ended.
    """
    ground = lay_ground(members[0].trial, device, prepared, resident_bytes=resident_bytes)
    # What several ask for, or is shared with other workers, must not fill a device or be on one of this worker.
    loading = ground.device if workers.size == len(members) == 1 else torch.device("cpu")
    starts: list[Start] = workers.share(find_starts(members, loading) if workers.is_first else [])
    while starts:
        training = open_training(starts.pop(0), ground, workers)
        training.execution = execution
        training.write_buffer = write_buffer or training.write_buffer
        yield from training.begun()
        yield from training.ended()
        while training.members:
            # Shared, so that every worker decides on the same digits.
            record = workers.share(training.train_record())
            yield from training.after(record)
            yield from training.ended()


@dataclass(frozen=True)
class Ground:
    """What trainings on the same data and device have in common. `train` is what steps take their batches of: that of
    `splits`, but for a frozen backbone that computes the features of each batch. Steps that are compiled are kept in
    `compiled`."""

    data: PreparedData
    splits: dict[str, DeviceSplit]
    train: DeviceSplit
    device: torch.device
    compiled: Path | None = None


def lay_ground(
    trial: Trial, device: str, prepared: Path | None = None, *, resident_bytes: float | None = None
) -> Ground:
    """The data of a trial, or what a frozen backbone makes of them, on the device; see `to_device` for what does not
    fit there.

    Raises DataError and TrainingError.
    """
    on, kept = torch.device(device), kept_type(trial.config["training"])
    if on.type == "cuda":
        _clear_gpu()
    data = prepare_inputs(trial, on, prepared)
    # What is normalized later keeps the bits of its source, where the device has them.
    is_exact = data.augmented is not None and data.train.inputs.dtype == np.float64 and on.type != "mps"
    exact = torch.float64 if is_exact else kept
    with_source = measured({name: _with_source(split, data, name) for name, split in data.splits.items()}, trial)
    splits = to_device(with_source, on, kept, resident_bytes=resident_bytes, source_dtype=exact)
    train = splits["train"]
    if data.augmented is not None:
        own = {"train": data.train}
        train = to_device(own, on, kept, resident_bytes=resident_bytes, first_dtype=exact)["train"]
    return Ground(data, splits, train, on, folder_beside(prepared))


def _with_source(split: Split, data: PreparedData, name: str) -> Split:
    """With the first input as the source gives it, where views of it are measured."""
    if data.augmented is None or name not in data.augmented.measured:
        return split
    return Split({**split.columns, SOURCE: Column(data.augmented.measured[name].inputs, "real", "input")})


def _clear_gpu() -> None:
    """Have memory that trainings before have left be free, and float32 mean 32 bits for convolutions too."""
    # Some of it is held in cycles: a compiled step, a traceback.
    gc.collect()
    torch.cuda.empty_cache()
    torch.backends.cudnn.allow_tf32 = False


def open_training(start: Start, ground: Ground, workers: WorkerGroup = ONE_WORKER) -> Training:
    """The training of trials that are equally far, as it stood behind their last epoch. Raises what `assemble` does."""
    found = [course_in(ground, member.trial) for member in start.members]
    start.members = [replace(member, course=each) for member, (each, _) in zip(start.members, found, strict=True)]
    course = found[0][0].extended([each for each, _ in found])
    tokens = next((counted for _, counted in found if counted is not None), None)
    united = trained_part(unite([member.trial for member in start.members]))
    parts = assemble(united, ground.data, ground.device, course, workers, ground.compiled)
    go_on(start, parts)
    state, start.state = start.state, None
    batch_size, keeps = united.config["training"]["batch_size"], len(start.members) > 1
    examiner = Examiner(parts, ground.splits, ground.data, batch_size=batch_size, keeps=keeps)
    training = Training(list(start.members), parts, ground.splits, ground.train, examiner, course, tokens)
    if state is not None:
        training.running, training.random = running_in(state, parts), state.get("random")
    return training


def course_in(ground: Ground, trial: Trial) -> tuple[Course, Tokens | None]:
    """The course of a trial with these data, and its tokens where they are counted.

    Raises TrainingError `no-tokens`.
    """
    num_samples = len(ground.train)
    return find_course(
        trial.config, ground.data.train, lambda pass_: epoch_order(trial.seed, pass_, num_samples).numpy()
    )


def beginning_of(trial: Trial, folder: Path) -> Begun:
    """Where `train_trial` will go on: behind 0 epochs for a new trial, and for one whose files are damaged."""
    [start] = find_starts([Member(trial, folder)], torch.device("cpu"))
    member = start.members[0]
    return Begun(trial.id, member.progress.epoch, member.fault)


def num_epochs_trained(trial: Trial, folder: Path) -> int:
    """Epochs behind which `train_trial` will go on."""
    return beginning_of(trial, folder).epoch
