"""A trial in, its epochs one by one and its result out; an interrupted trial goes on where it stopped."""

import logging
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import craftc
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics, Result
from craftc.training.assemble import Parts, assemble
from craftc.training.batches import DeviceSplit, num_batches, to_device
from craftc.training.checkpoint import load_best, load_last, restore, save_best, save_last, settle_last
from craftc.training.epoch import train_epoch
from craftc.training.errors import TrainingError
from craftc.training.evaluate import evaluate_splits, evaluate_trivial
from craftc.training.history import append_record, cut_history
from craftc.training.prepare import TEST, prepare
from craftc.training.progress import Progress
from craftc.training.team import SOLO, Team

log = logging.getLogger(__name__)


def train_trial(trial: Trial, *, folder: Path, device: str, team: Team = SOLO) -> Generator[EpochRecord, None, Result]:
    """Train `trial` on `device` ("cpu", "cuda", "cuda:1"), with its files in `folder`.

    A generator: yields each epoch's record once its line in metrics.jsonl and its checkpoint are on disk, and returns
    the Result. Closing it leaves the trial resumable. On the CPU, with the same number of threads, a resumed trial
    equals a straight one bit by bit. Raises DataError and TrainingError.

    Every worker of a `team` runs the same generator, and yields and returns the same; the first alone reads and
    writes files. The numbers are those of a team of one, but for rounding and for what dropout draws.
    """
    data = prepare(trial.config["data"])
    splits = to_device(data.splits, torch.device(device))
    steps_per_epoch = num_batches(len(splits["train"]), trial.config["training"]["batch_size"])
    parts = assemble(trial, data, torch.device(device), steps_per_epoch, team)
    progress = _resume(trial, parts, folder)
    while not progress.is_over(trial):
        # Shared, so that every worker decides on the same digits.
        record = team.share(_train_epoch(trial, parts, splits, progress))
        progress = progress.after(record, trial)
        parts.schedule.observe(record.epoch, record.metrics)
        if team.is_first:
            _save(trial, parts, progress, record, folder)
        yield record
    return _conclude(trial, parts, splits, progress, folder, data.class_counts)


def num_epochs_trained(trial: Trial, folder: Path) -> int:
    """Epochs behind which `train_trial` will go on; 0 for a new trial, and for one whose checkpoint is damaged."""
    try:
        state = load_last(folder, trial, torch.device("cpu"))
    except TrainingError:
        return 0
    return 0 if state is None else int(state["progress"]["epoch"])


def _train_epoch(trial: Trial, parts: Parts, splits: dict[str, DeviceSplit], progress: Progress) -> EpochRecord:
    """Train the next epoch, then measure every split but test."""
    start = time.perf_counter()
    epoch, batch_size = progress.epoch + 1, trial.config["training"]["batch_size"]
    trained = train_epoch(parts, splits["train"], epoch=epoch, first_step=progress.step, batch_size=batch_size)
    seen = [name for name in splits if name != TEST]
    measured = evaluate_splits(parts, splits, seen, epoch=epoch, batch_size=batch_size)
    return EpochRecord(
        trial=trial.id,
        epoch=epoch,
        step=progress.step + num_batches(len(splits["train"]), batch_size),
        metrics=trained | measured,
        seconds=time.perf_counter() - start,
    )


def _save(trial: Trial, parts: Parts, progress: Progress, record: EpochRecord, folder: Path) -> None:
    """Line, last, best: a kill between two of them leaves what `_resume` can mend."""
    append_record(folder, record)
    save_last(folder, trial, parts, progress)
    # Without selection the last epoch is the best, and is saved as such when it is known to be the last.
    if progress.is_best and (progress.is_over(trial) or trial.config["evaluation"]["select"] != "none"):
        save_best(folder, trial, parts, progress)


def _resume(trial: Trial, parts: Parts, folder: Path) -> Progress:
    """The state behind the last finished epoch, put into `parts`; the files are brought back to that epoch."""
    state = parts.team.share(_read_last(trial, parts, folder) if parts.team.is_first else None)
    progress = Progress() if state is None else restore(state, parts)
    if not parts.team.is_first:
        return progress
    cut_history(folder, progress.epoch)
    if state is not None:
        settle_last(folder)
        if progress.is_best:
            save_best(folder, trial, parts, progress)
    return progress


def _read_last(trial: Trial, parts: Parts, folder: Path) -> dict[str, Any] | None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return load_last(folder, trial, _loading_device(parts))
    except TrainingError as error:
        # A damaged checkpoint is as good as none: training from the start always gives the right result.
        log.warning("trial %s starts again from its first epoch: %s", trial.id[:12], error.message)
        return None


def _loading_device(parts: Parts) -> torch.device:
    """What is shared with other workers must not be on a device of this one."""
    return parts.device if parts.team.size == 1 else torch.device("cpu")


def _conclude(
    trial: Trial,
    parts: Parts,
    splits: dict[str, DeviceSplit],
    progress: Progress,
    folder: Path,
    class_counts: NDArray[np.int64],
) -> Result:
    """Look at test, with the last and with the best weights, and at what knowing nothing would give."""
    batch_size = trial.config["training"]["batch_size"]
    tested = [name for name in splits if name == TEST]

    def with_test(metrics: Metrics, epoch: int) -> Metrics:
        held = {name: value for name, value in metrics.items() if name not in ("train/objective", "train/lr")}
        return held | evaluate_splits(parts, splits, tested, epoch=epoch, batch_size=batch_size)

    last = best = with_test(progress.metrics, progress.epoch)
    if not progress.is_best:
        epoch, first = progress.selected.epoch, parts.team.is_first
        weights = load_best(folder, trial, _loading_device(parts), epoch=epoch) if first else {}
        parts.evaluated.load_state_dict(parts.team.share(weights))
        best = with_test(progress.best_metrics, epoch)
    return Result(
        trial=trial.id,
        best_epoch=progress.selected.epoch,
        epochs_trained=progress.epoch,
        epochs_planned=trial.config["training"]["epochs"],
        steps=progress.step,
        best=best,
        last=last,
        trivial=evaluate_trivial(parts, splits, torch.from_numpy(class_counts), batch_size=batch_size),
        identities=parts.measures.identities,
        num_parameters=parts.num_parameters,
        split_sizes={name: len(split) for name, split in splits.items()},
        seconds=progress.seconds,
        device=str(parts.device),
        craftc_version=craftc.__version__,
    )
