"""A command in; the wall time that its process took, and the CPU time of it and of all that it started, out."""

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import psutil
from side_by_side import Numbers

ROOT = Path(__file__).resolve().parents[1]


def timed_process(
    command: Sequence[str], *, codes: Collection[int] = (0,), environment: Mapping[str, str] | None = None
) -> Numbers:
    """Wall time of a process that has to end with one of `codes`, and the CPU time of it and all its descendants.

    It runs in this checkout, with its craftc, and keeps bytecode, as where packages are installed. Ray's workers are
    waited for by nobody, so that the CPU time of a process that has descendants is read from the system, four times a
    second: too low by what each used after it was last seen.
    """
    whole = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    whole["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), whole.get("PYTHONPATH"))))
    whole |= environment or {}
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        started = subprocess.Popen(list(command), cwd=ROOT, env=whole, stdout=said, stderr=said, text=True)
        with _Family(started.pid) as family:
            _, status, used = os.wait4(started.pid, 0)
            wall = time.perf_counter() - begun
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode not in codes:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with {started.returncode}\n{said.read()[-6000:]}")
    return {"wall s": wall, "CPU s": family.seconds if family.has_others else used.ru_utime + used.ru_stime}


class _Family:
    """The CPU time of a process and its descendants, looked at by a thread while they run."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over = pid, threading.Event()
        self._earlier = {child.pid for child in psutil.Process().children()} - {pid}
        self._seen: dict[tuple[int, float], float] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Family":
        _adopt_orphans()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        for pid, _created in self._seen:
            if pid != self._pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    @property
    def has_others(self) -> bool:
        """Whether the process was ever seen with a descendant."""
        return any(pid != self._pid for pid, _created in self._seen)

    @property
    def seconds(self) -> float:
        """Of all that were seen."""
        return sum(self._seen.values())

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self._look()

    def _look(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.pid not in self._earlier:
                    times = process.cpu_times()
                    self._seen[process.pid, process.create_time()] = times.user + times.system


def _adopt_orphans() -> None:
    """On Linux, descendants whose parent has ended become children of this process (PR_SET_CHILD_SUBREAPER), and so
    stay among its descendants."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
