"""Reads and writes the content-addressed folder of trials: configurations, histories and results, by fingerprint."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import to_json

from craftc.runtime.store.file_digests import FileDigests
from craftc.runtime.store.trained_alike import finished_with, note
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.foundation.atomic_file import write_unflushed
from craftc.training.foundation.seal import DamagedError, sealed_json
from craftc.training.foundation.trial_config import FILENAME as CONFIG
from craftc.training.state.history import read_history
from craftc.training.state.result_file import FILENAME as RESULT
from craftc.training.state.result_file import ReadResult, read_result, result_content
from craftc.training.state.write_buffer import WriteBuffer

ASKED_ONE_BY_ONE = 1_000
LOCKS = ".locks"


class StoreError(Exception):
    """Something in the store cannot be read. `code` is permanent: `result-unreadable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["StoreError"], tuple[str, str]]:
        return StoreError, (self.code, self.message)


@dataclass(frozen=True)
class Store:
    """A folder `<root>/<fingerprint>/` per trial, shared by all runs.

    A trial is finished when its `result.json` exists, which is written last and atomically, and is sound: its seal, its
    trial and the seal of its history are right. With a damaged one the trial goes on from its last sound state, if it
    has any. Every method may be called by several processes at once; only the holder of a trial's lock writes.
    """

    root: Path

    @property
    def prepared(self) -> Path:
        """Where prepared data is kept for all processes; what is removed there is made again."""
        return self.root / "prepared"

    def folder(self, trial_id: str) -> Path:
        """Where the trial's files are. Need not exist yet."""
        return self.root / trial_id

    def is_finished(self, trial_id: str) -> bool:
        """Whether the trial's result is here, and no damaged one."""
        return self._is_finished(trial_id, lambda damaged: None, lambda trial: None)

    def finished_of_many(
        self, tell: Callable[[str], None] = lambda damaged: None, unsealed: Callable[[str], None] = lambda trial: None
    ) -> Callable[[str], bool]:
        """`is_finished` for the trials of a plan, as the store is now; `tell` is given what is wrong with each damaged
        result, `unsealed` each trial whose result an earlier version of craftc wrote without a seal.

        Past the first few the store is listed once: a network's file system takes a millisecond to say of each trial
        that it is not there.
        """
        num_asked = 0
        listed: set[str] | None = None

        def is_finished(trial_id: str) -> bool:
            nonlocal num_asked, listed
            num_asked += 1
            if listed is None and num_asked > ASKED_ONE_BY_ONE:
                listed = set(os.listdir(self.root)) if self.root.is_dir() else set()
            return (listed is None or trial_id in listed) and self._is_finished(trial_id, tell, unsealed)

        return is_finished

    def finished_with(self) -> Callable[[str], str | None]:
        """From a fingerprint of weights to a finished trial that has them; None where there is none."""
        return finished_with(self.root, self.is_finished)

    def file_digests(self) -> FileDigests:
        """The digests of data files, those kept here known."""
        return FileDigests(self.root / "digests.json")

    def result(self, trial_id: str) -> Result:
        """The result of a finished trial. Raises KeyError for an unfinished one, StoreError for a damaged file."""
        return self._read(trial_id).result

    def history(self, trial_id: str) -> list[EpochRecord]:
        """The epochs recorded so far, in order, up to the first that is damaged; empty for a trial never begun."""
        return list(read_history(self.folder(trial_id), trial_id).records)

    def write_config(self, trial: Trial) -> None:
        """Write `config.json`: all that decides the trial's result. Creates the trial's folder.

        It is flushed to the disk with the result, for until then it is written again whenever the trial is taken up.
        """
        self.folder(trial.id).mkdir(parents=True, exist_ok=True)
        write_unflushed(self.folder(trial.id) / CONFIG, config_content(trial))

    def write_result(
        self, result: Result, write_buffer: WriteBuffer | None = None, *, weights: str | None = None
    ) -> None:
        """Write `result.json`; from then on the trial is finished. With an `write_buffer`, it may wait there. Trials
        whose stages have the same `weights` find it by them."""
        if weights is not None:
            note(self.root, weights, result.trial)
        self.folder(result.trial).mkdir(parents=True, exist_ok=True)
        folder = self.folder(result.trial)
        config = folder / CONFIG
        files = [(folder / RESULT, result_content(result, folder))]
        (write_buffer or WriteBuffer()).add(files, flush=[config] if config.exists() else [])

    @contextmanager
    def lock(self, trial_id: str, *, timeout_s: float = -1) -> Iterator[None]:
        """Hold the trial, so that no other process trains it. Waits `timeout_s` seconds, for ever below 0.

        The lock ends with the process that holds it, however that ends. Raises TimeoutError.
        """
        # Lazily, since what only reads results does not need it.
        from filelock import FileLock, Timeout

        # Beside the trials' folders: a lock inside one would vanish with the folder while it is held.
        folder = self.root / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Of no thread: whoever tells of the end of a job lets go of its trials.
            lock = FileLock(folder / trial_id, timeout=timeout_s, thread_local=False)
            lock.acquire()
        except Timeout:
            raise TimeoutError(f"trial {trial_id[:12]} is being trained by another process") from None
        try:
            yield
        finally:
            lock.release()

    def wait_until_free(self, trial_id: str, *, timeout_s: float) -> bool:
        """Wait until no process holds the trial, `timeout_s` seconds at most; whether that is so."""
        if not (self.root / LOCKS / trial_id).exists():
            return True  # never locked
        with suppress(TimeoutError), self.lock(trial_id, timeout_s=max(0.0, timeout_s)):
            return True
        return False

    def _read(self, trial_id: str) -> ReadResult:
        path = self.folder(trial_id) / RESULT
        try:
            return read_result(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(trial_id) from None
        except DamagedError as error:
            raise StoreError("result-unreadable", f"{path} {error}") from error
        except OSError as error:
            raise StoreError("result-unreadable", f"{path} cannot be read: {error.strerror or error}") from error

    def _is_finished(self, trial_id: str, tell: Callable[[str], None], unsealed: Callable[[str], None]) -> bool:
        try:
            found = self._read(trial_id)
        except KeyError:
            return False
        except StoreError as error:
            tell(error.message)
            return False
        if not found.is_sealed:
            unsealed(trial_id)
        return True


def config_content(trial: Trial) -> bytes:
    """What stands in the `config.json` of a trial."""
    return sealed_json(to_json({"trial": trial.id, "seed": trial.seed, **trial.config}, indent=2) + b"\n")
