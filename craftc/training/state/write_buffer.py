"""Holds back the files of short trials for a moment, so that many are flushed to the disk at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from craftc.training.foundation.atomic_file import write_together

MOST_BYTES = 16 * 2**20
MOST_FILES = 200
"""What waits at most, whatever its time."""


@dataclass
class WriteBuffer:
    """What is to be on the disk, `delay_s` after the first of it was added at the latest; at 0, at once.

    Until then the old files stand, and the content of the new ones may not be reported.
    """

    delay_s: float = 0.0
    _files: dict[Path, bytes | memoryview] = field(default_factory=dict)
    _flush: dict[Path, None] = field(default_factory=dict)
    _afterwards: list[Callable[[], None]] = field(default_factory=list)
    _since: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether all is on the disk."""
        return not self._files

    def add(self, files: Sequence[tuple[Path, bytes | memoryview]], flush: Sequence[Path] = ()) -> None:
        """As `write_together` of all that is added. What a later file of the same name replaces is never written."""
        if self.is_empty:
            self._since = time.monotonic()
        for path, content in files:
            self._files.pop(path, None)
            self._files[path] = content
        self._flush |= dict.fromkeys(flush)
        waits_long = time.monotonic() - self._since >= self.delay_s
        if waits_long or len(self._files) >= MOST_FILES or sum(map(len, self._files.values())) >= MOST_BYTES:
            self.put()

    def put(self) -> None:
        """Write all that waits. What cannot be written goes on waiting; raises OSError."""
        if self._files:
            write_together(list(self._files.items()), [path for path in self._flush if path not in self._files])
        self._files.clear()
        self._flush.clear()
        self._call()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Have something called once all that waits now is on the disk."""
        self._afterwards.append(call)
        if self.is_empty:
            self._call()

    def drop(self) -> None:
        """Forget what waits, as a kill would."""
        self._files.clear()
        self._flush.clear()
        self._call()

    def _call(self) -> None:
        while self._afterwards:
            self._afterwards.pop(0)()
