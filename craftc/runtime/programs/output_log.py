"""Keeps what a program prints in a file of bounded size: its beginning and its end."""

import threading
from io import FileIO
from pathlib import Path

FILE = "output.log"
HEAD_BYTES = 4 * 2**20
TAIL_BYTES = 4 * 2**20
"""What is kept of the beginning, and at least of the end; up to as much again of the end until it is cut."""


CHUNK_BYTES = 2**16
CUT = b"\n[... what the program printed here is cut out: the log keeps the beginning and the end ...]\n"


def file_of(rank: int) -> str:
    """That of the first worker, or of one that follows it."""
    return FILE if rank == 0 else f"output.{rank}.log"


class OutputLog:
    """Appends what can be read from an unbuffered pipe to a file, in a thread of its own, until the pipe ends."""

    def __init__(self, path: Path, pipe: FileIO, *, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES):
        self._path, self._pipe = path, pipe
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._thread = threading.Thread(target=self._copy, name="program-output", daemon=True)
        self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """Wait for the end of the pipe, but not for a process that went its own way and still holds it."""
        self._thread.join(timeout_s)

    def _copy(self) -> None:
        with self._pipe:
            try:
                self._append()
            except OSError:
                # A disk that is full ends no program: what it prints is read on and dropped.
                while self._pipe.read(CHUNK_BYTES):
                    pass

    def _append(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            size = file.tell()
            while chunk := self._pipe.read(CHUNK_BYTES):
                file.write(chunk)
                size += len(chunk)
                if size > self._head_bytes + 2 * self._tail_bytes:
                    size = self._cut(size)

    def _cut(self, size: int) -> int:
        """Leave out the middle; the size that is left."""
        with self._path.open("r+b") as file:
            file.seek(size - self._tail_bytes)
            tail = file.read()
            file.seek(self._head_bytes)
            file.write(CUT + tail)
            file.truncate()
            return file.tell()
