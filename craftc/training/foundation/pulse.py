"""Shows from outside how far a training is within its epoch: a small file that is written anew twice a minute."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from craftc.training.foundation.atomic_file import write_unflushed

FILE = "pulse.json"
EVERY_S = 30.0


class Beat(NamedTuple):
    """`step` of the `steps` of an epoch, which counts from 1, have been taken."""

    epoch: int
    step: int
    steps: int


class Pulse:
    """Of the trial in a folder; None has none. An epoch that takes less than 30 s writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._due = time.monotonic() + EVERY_S
        self._is_written = False

    @property
    def is_due(self) -> bool:
        """Whether the next beat is written."""
        return self._file is not None and time.monotonic() >= self._due

    def beat(self, epoch: int, step: int, steps: int) -> None:
        """Note a step, if it is time to. It costs 0.1 us, and nobody's training ends because a disk is full."""
        if self._file is None or not self.is_due:
            return
        self._due = time.monotonic() + EVERY_S
        self._is_written = True
        with suppress(OSError):
            write_unflushed(self._file, json.dumps(Beat(epoch, step, steps)._asdict()).encode())

    def rest(self) -> None:
        """The epoch is over: what it came to is in the history."""
        if self._is_written and self._file is not None:
            self._is_written = False
            with suppress(OSError):
                self._file.unlink(missing_ok=True)


def read_pulse(folder: Path) -> Beat | None:
    """The latest beat of the trial in a folder; None where there is none."""
    try:
        return Beat(**json.loads((folder / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
