"""Reads what another program prints, or appends to a file: lines of JSON with metrics are reports, others are text."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TextIO

POLL_S = 0.1
OUTPUT_TIMEOUT_S = 2.0
"""How long is waited for the output of a program that has ended, which others that it started may hold open."""
_LONGEST_LINE = 2**20
"""In bytes; of a longer line the parts are text."""


@dataclass(frozen=True)
class Report:
    """A line with metrics. `state` is the file or folder that belongs to it; `is_final`: it was measured at the end."""

    metrics: dict[str, Any]
    step: Any = None
    state: str | None = None
    is_final: bool = False


def read_report(line: bytes) -> Report | None:
    """The report that a line is: a JSON object with a key of the form `<split>/<metric>`; None of any other."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not any("/" in key for key in values):
        return None
    step, state, is_final = (values.pop(key, None) for key in ("step", "state", "final"))
    return Report(values, step, None if state is None else str(state), is_final is True)


class Source(Protocol):
    """Where reports come from."""

    def take(self, timeout_s: float) -> Report | None:
        """The next one; None where there is none in time."""
        ...

    def rest(self) -> list[Report]:
        """Those that are left of a program that has ended."""
        ...


class Printed:
    """What a program prints to a pipe, in a thread of its own. Text is passed on to `to`, and `last` line is kept.

    With `is_metrics`, reports are taken out of it.
    """

    def __init__(self, pipe: IO[bytes], to: TextIO, *, is_metrics: bool) -> None:
        self.last = ""
        self._pipe, self._to, self._is_metrics = pipe, to, is_metrics
        self._reports: queue.Queue[Report] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Report | None:
        """See Source.take."""
        try:
            return self._reports.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def rest(self) -> list[Report]:
        """See Source.rest."""
        self._thread.join(OUTPUT_TIMEOUT_S)
        return [self._reports.get_nowait() for _ in range(self._reports.qsize())]

    def _read(self) -> None:
        with self._pipe:
            while line := self._pipe.readline(_LONGEST_LINE):
                if self._is_metrics and (report := read_report(line)) is not None:
                    self._reports.put(report)
                    continue
                text = line.decode(errors="replace")
                self.last = text.strip() or self.last
                self._to.write(text)
                self._to.flush()


class Appended:
    """What a program appends to a file from now on. A file that becomes shorter is read anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = path.stat().st_size if path.exists() else 0
        self._reports: list[Report] = []

    def take(self, timeout_s: float) -> Report | None:
        """See Source.take."""
        if not self._reports:
            self._read()
        if not self._reports:
            time.sleep(timeout_s)
            return None
        return self._reports.pop(0)

    def rest(self) -> list[Report]:
        """See Source.rest. A last line counts without an end, too."""
        self._read(is_over=True)
        return self._reports

    def _read(self, is_over: bool = False) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            if self._path.stat().st_size < self._place:
                self._place = 0
            file.seek(self._place)
            content = file.read()
        whole = content if is_over else content[: content.rfind(b"\n") + 1]
        self._place += len(whole)
        self._reports += [report for line in whole.splitlines() if (report := read_report(line)) is not None]


def reports(has_ended: Any, source: Source) -> Iterator[Report]:
    """The reports of a program until it has ended, those that it left behind included."""
    while not has_ended():
        if (report := source.take(POLL_S)) is not None:
            yield report
    yield from source.rest()
