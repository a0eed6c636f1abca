"""Runs craftc in processes that are forked from one that has imported what training needs: 4 s less for each."""

import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import optuna
import sklearn.datasets
import sklearn.model_selection
import torch

from craftc.cli.main import main

IMPORTED = (optuna, sklearn.datasets, sklearn.model_selection, torch)
"""What every process has from the beginning."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, below 0 for a signal, and what it wrote."""

    code: int
    stdout: str
    stderr: str


def craftc(folder: Path, *arguments: str, kill_after_s: float | None = None) -> Ended:
    """`craftc ARGUMENTS` in a folder; killed after so many seconds, if it is not over by then."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become(folder, arguments, stdout.fileno(), stderr.fileno())
        deadline = None if kill_after_s is None else time.monotonic() + kill_after_s
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (0 if deadline is None else os.WNOHANG)) is None:
            if deadline is not None and time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline = None
            time.sleep(0.01)
        _, status = os.waitpid(pid, 0)
        stdout.seek(0)
        stderr.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, stdout.read().decode(), stderr.read().decode())


def _become(folder: Path, arguments: tuple[str, ...], stdout: int, stderr: int) -> None:
    """Be the craftc that the arguments ask for, and end."""
    code: int | str | None = 1
    try:
        os.chdir(folder)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        torch.set_num_threads(1)
        sys.argv = ["craftc", *arguments]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
