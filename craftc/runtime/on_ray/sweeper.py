"""Cleans up after the driver, in a process of its own: when the driver is gone, it kills every process that still has a
file of a folder open, and removes the folder.

Ray's daemons die with their driver, but two agents live on for a minute after a SIGKILL, and the folder for ever.
Run as a script with nothing of craftc imported: `python sweeper.py FOLDER`; the end of its input means that the
driver is gone.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

KILL_TIMEOUT_S = 5.0
WAIT_TIMEOUT_S = 15.0


@contextlib.contextmanager
def swept(folder: Path) -> Iterator[None]:
    """Have `folder`, and the processes that have files of it open, gone when the block ends or this process does."""
    # In a session of its own, so that Ctrl-C in the terminal does not reach it.
    sweeper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert sweeper.stdin is not None
        sweeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            sweeper.wait(WAIT_TIMEOUT_S)


def sweep(folder: Path, *, spare: int) -> None:
    """Kill whoever but `spare` has files of the folder open, then remove it. Without /proc, only remove it."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while (pids := [pid for pid in holders(folder) if pid != spare]) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def holders(folder: Path) -> list[int]:
    """The processes that have a file of the folder open."""
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if entry.name.isdigit()]
    return [pid for pid in pids if _has_open(pid, f"{folder}{os.sep}")]


def _has_open(pid: int, prefix: str) -> bool:
    """Whether any of its threads has: what is killed ends thread by thread, and the first, by which /proc/PID/fd goes,
    may be gone while others still hold all files, and locks."""
    # Another user's process; one that has just ended; a file that has just been closed.
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                links = os.listdir(folder := f"/proc/{pid}/task/{thread}/fd")
                # The threads of a process share their files.
                if links:
                    return any(_leads_below(prefix, f"{folder}/{name}") for name in links)
    return False


def _leads_below(prefix: str, link: str) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(link).startswith(prefix)
    return False


if __name__ == "__main__":
    # The driver itself has Ray's logs open, and may be alive and only done with its Ray.
    driver = os.getppid()
    sys.stdin.buffer.read()
    sweep(Path(sys.argv[1]), spare=driver)
