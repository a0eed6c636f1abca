"""Defines what a program is handed: a `Run`, by which it reports and hands over its state."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from craftc.training.programs.metrics import checked_metrics, checked_step

StopReason = Literal["early-stopping", "pruned", "interrupted"]


class Stopped(BaseException):
    """Raised by `Run.report` where the trial is to end: `reason` is "early-stopping", "pruned" or "interrupted".

    Let it pass through. To measure something after early stopping, catch it, call `Run.finish` and return. It is a
    BaseException, so that `except Exception` does not catch it by accident.
    """

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason: StopReason = reason


@dataclass(frozen=True)
class Workers:
    """The processes that train one trial together: this one is number `rank`, from 0, of `size`."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process whose reports count."""
        return self.rank == 0


ONE = Workers()


class Recorder(Protocol):
    """Where the reports of a program go."""

    def report(self, metrics: dict[str, float], state: object, step: int | None) -> StopReason | None:
        """Record metrics, of which some may not be finite; why the program is to end, or None."""
        ...

    def finish(self, metrics: dict[str, float]) -> StopReason | None:
        """Keep what is measured once; why the program should have ended before, or None."""
        ...


class Run:
    """One trial of a program, as its function sees it. craftc makes it; `Run.by_hand` makes one without craftc.

    Attributes:
        seed: The trial's seed. `random`, and NumPy and torch where the function's module imports them, are seeded with
            it before the function is called.
        device: What to train on, such as "cpu" or "cuda:0".
        folder: A folder of the trial's own that is kept with its results. It may hold anything, and what it holds is
            still there when an interrupted trial goes on.
        state: What was handed over last with `report(..., state=...)`, tensors on the CPU; None where the trial begins.
            Of a file or folder that was handed over as a Path it is that path, with the content of then.
        workers: With `resources.workers` above 1, which of the processes this one is. `MASTER_ADDR`, `MASTER_PORT`,
            `RANK`, `LOCAL_RANK` and `WORLD_SIZE` are set as torchrun sets them; the function makes the process group.
    """

    def __init__(
        self, recorder: Recorder, *, seed: int, device: str, folder: Path, state: Any = None, workers: Workers = ONE
    ) -> None:
        self.seed = seed
        self.device = device
        self.folder = folder
        self.state = state
        self.workers = workers
        self._recorder = recorder

    def report(self, metrics: Mapping[str, float], *, state: object = None, step: int | None = None) -> None:
        """Make a record, such as after each epoch. It is on the disk when this returns.

        Early stopping, `evaluation.select` and the pruner of a search act on what is reported; a value that is not
        finite counts as no improvement. Of several workers those of the first one count.

        Args:
            metrics: By name, `"<split>/<metric>"`: `{"train/loss": 0.3, "valid/accuracy": 0.9}`.
            state: What the trial goes on from if it is interrupted: numbers, texts, tensors, arrays, and lists and
                mappings of them, such as `{"epoch": 3, "model": model.state_dict()}`; or the Path of a file or folder
                within `folder`, of which a copy is kept. Without a state an interrupted trial begins anew.
            step: The number of optimizer steps so far. By default the number of records.

        Raises:
            Stopped: The trial is to end here.
        """
        reason = self._recorder.report(checked_metrics(metrics), state, checked_step(step))
        if reason is not None:
            raise Stopped(reason)

    def finish(self, metrics: Mapping[str, float]) -> None:
        """Report what is measured once, at the end, such as on a test split. It belongs to the best record and to the
        last. A program that calls this alone has one record.

        Raises:
            Stopped: The trial was pruned or interrupted before.
        """
        reason = self._recorder.finish(checked_metrics(metrics))
        if reason is not None:
            raise Stopped(reason)

    @staticmethod
    def by_hand(folder: str | Path = "by_hand", *, seed: int = 0, device: str = "cpu") -> "Run":
        """A Run without craftc, for a plain Python script or a debugger: `train(Run.by_hand(), lr=0.1)`.

        It prints what is reported and keeps the last state in `folder`, from which the next call goes on; it never
        stops the function, and seeds nothing.
        """
        from craftc.training.programs.by_hand import ByHand

        recorder = ByHand(Path(folder))
        return Run(recorder, seed=seed, device=device, folder=recorder.files, state=recorder.state())
