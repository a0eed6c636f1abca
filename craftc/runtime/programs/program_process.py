"""The process of a program: imports its function, builds the arguments, calls it and passes on what it reports.

It has nothing of the trial but what the process that started it sends first; see `start_program`.
"""

import ctypes
import os
import random
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from craftc.components.own_line import own_line
from craftc.runtime.programs.call import call_of
from craftc.runtime.programs.channel import Channel, ClosedError
from craftc.training.programs.kept_state import Kept, keep, restore
from craftc.training.programs.metrics import ReportError, is_finite
from craftc.training.programs.run import Run, Stopped, StopReason, Workers
from craftc.training.programs.state_values import StateError

PR_SET_PDEATHSIG = 1


def main(fd: int, parent: int) -> None:
    """Run the program that `fd` is told of. `parent` is the process at the other end."""
    _end_with(parent)
    channel = Channel(socket.socket(fileno=fd))
    os.register_at_fork(after_in_child=channel.close)
    setup = channel.receive()
    recorder = PipedRecorder(channel, setup)
    try:
        end = _run(setup, recorder)
    except SystemExit as error:
        if error.code in (None, 0):
            end = {"type": "returned"}
        else:
            end = {"type": "exit", "argument": repr(error.code), "place": own_line(error)}
    channel.send(end)


def _run(setup: dict[str, Any], recorder: "PipedRecorder") -> dict[str, Any]:
    """Call the program; how that ended."""
    try:
        call = call_of(setup["program"])
        _seed(setup["seed"])
        _set_threads(setup["cpus"])
        run = Run(
            recorder,
            seed=setup["seed"],
            device=setup["device"],
            folder=Path(setup["files"]),
            state=_state(setup),
            workers=Workers(**setup["workers"]),
        )
        arguments = call.arguments()
        recorder.started()
        call.function(*arguments.positional(run), **arguments.named(run))
    except Stopped as stopped:
        return {"type": "stopped", "reason": stopped.reason}
    except ClosedError:
        # The one who listened is gone, and so is the sense of going on.
        os.killpg(0, signal.SIGKILL)
    except Exception as error:
        return _failed(error)
    return {"type": "returned"}


class PipedRecorder:
    """See Recorder: passes reports on, and waits until they are on the disk."""

    def __init__(self, channel: Channel, setup: dict[str, Any]) -> None:
        self._channel = channel
        self._checkpoints, self._files = Path(setup["checkpoints"]), Path(setup["files"])
        self._num_records: int = setup["num_records"]
        self._is_first = setup["workers"]["rank"] == 0
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def started(self) -> None:
        """The function is called now."""
        self._channel.send({"type": "started"})

    def report(self, metrics: dict[str, float], state: object, step: int | None) -> StopReason | None:
        """See Recorder.report."""
        with self._lock:
            self._check_process("report")
            self._num_records += 1
            kept = self._keep(state) if self._is_first and state is not None else None
            message = {"type": "report", "step": step, "state": None if kept is None else vars(kept)}
            return self._ask(message | _by_kind(metrics))

    def finish(self, metrics: dict[str, float]) -> StopReason | None:
        """See Recorder.finish."""
        with self._lock:
            self._check_process("finish")
            return self._ask({"type": "finish"} | _by_kind(metrics))

    def _keep(self, state: object) -> Kept:
        try:
            return keep(state, folder=self._checkpoints, files=self._files, number=self._num_records)
        except RecursionError:
            raise ReportError("program-bad-state", "the state contains itself") from None

    def _ask(self, message: dict[str, Any]) -> StopReason | None:
        self._channel.send(message)
        answer: StopReason | None = self._channel.receive()["stop"]
        return answer

    def _check_process(self, name: str) -> None:
        if os.getpid() != self._pid:
            message = f"run.{name} was called in a process that the program forked; call it in the one it began in"
            raise ReportError("program-bad-report", message)


def _by_kind(metrics: dict[str, float]) -> dict[str, Any]:
    """JSON has no numbers that are not finite; of those the names are passed on."""
    finite = {name: value for name, value in metrics.items() if is_finite(value)}
    return {"metrics": finite, "not_finite": [name for name in metrics if name not in finite]}


def _state(setup: dict[str, Any]) -> Any:
    if setup["state"] is None:
        return None
    kept = Kept(**setup["state"])
    if kept.path is not None:
        return Path(setup["files"]) / kept.path  # where the job has put it
    try:
        return restore(kept, folder=Path(setup["checkpoints"]), files=Path(setup["files"]))
    except StateError as error:
        raise ReportError("program-bad-state", f"the state that was handed over cannot be read: {error}") from error


def _seed(seed: int) -> None:
    """Of what the function's module has imported; to import more would take seconds."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)


def _set_threads(cpus: int) -> None:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(cpus)


def _failed(error: Exception) -> dict[str, Any]:
    code, text = "program-failed", str(error).strip()
    if isinstance(error, ReportError):
        code, message = error.code, text
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        code, message = "out-of-memory", f"{type(error).__name__}: {text}".rstrip(": ")
    else:
        message = f"{type(error).__name__}: {text}".rstrip(": ")
    line = own_line(error)
    first = message.splitlines()[0]
    return {
        "type": "failed",
        "code": code,
        "message": f"{first} ({line})" if line else first,
        "traceback": "".join(traceback.format_exception(error)),
    }


def _end_with(parent: int) -> None:
    """Have the system kill this process when its parent dies, where it can; a parent that is dead already ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
