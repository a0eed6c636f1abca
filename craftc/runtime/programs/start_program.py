"""Starts the process of a program, talks to it and ends it, with all that it has started."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from craftc.runtime.programs.channel import Channel, ClosedError
from craftc.runtime.programs.output_log import OutputLog

_MAIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from craftc.runtime.programs.program_process import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
_GUARD = 'read -r _; kill -9 -- "-$1"'
"""Waits for the end of what started the program, however that ends, and kills the program with all its children."""
OUTPUT_TIMEOUT_S = 2.0


@dataclass
class ProgramProcess:
    """A program that runs. `channel` is the line to it, `last_message` what it said last; None once it has hung up."""

    channel: Channel
    process: "subprocess.Popen[bytes]"
    _guard: "subprocess.Popen[bytes]"
    _lifeline: int
    _output: OutputLog
    last_message: dict[str, Any] | None = None
    has_hung_up: bool = False

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """Its next message; None where none comes in time, or none comes any more, for it `has_hung_up`. Waits for ever
        without a time."""
        self.last_message = None
        if self.channel.has_line or select.select([self.channel], [], [], timeout_s)[0]:
            try:
                self.last_message = self.channel.receive()
            except ClosedError:
                self.has_hung_up = True
        return self.last_message

    def answer(self, stop: str | None) -> None:
        """Let it go on, or have it stopped for a reason."""
        with suppress(ClosedError):  # how it ended is found out next
            self.channel.send({"stop": stop})

    def wait(self, timeout_s: float | None) -> int | None:
        """Its exit code, negative for a signal; None where it has not ended in time."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> int:
        """Kill what is left of it and of what it has started; its exit code."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self._guard.kill()
        self._guard.wait()
        with suppress(OSError):
            os.close(self._lifeline)
        self._output.finish(OUTPUT_TIMEOUT_S)
        self.channel.close()
        return code


def start_program(
    setup: Mapping[str, Any], *, log: Path, cpus: int, environment: Mapping[str, str] = MappingProxyType({})
) -> ProgramProcess:
    """Start the process that `setup` describes, in the folder and with the import path of this one.

    What it prints is appended to the `log`. `environment` is added to that of this process.
    """
    mine, its = socket.socketpair()
    command = [sys.executable, "-P", "-c", _MAIN, json.dumps(sys.path), str(its.fileno()), str(os.getpid())]
    variables = {
        **os.environ,
        # Sets of texts are iterated over in one order, and what is printed is in the log at once.
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(cpus),
        **environment,
    }
    with its:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[its.fileno()], env=variables, bufsize=0, start_new_session=True,
        )  # fmt: skip
    guard, lifeline = _guarded(process.pid)
    assert process.stdout is not None
    output = OutputLog(log, cast(Any, process.stdout))
    channel = Channel(mine)
    with suppress(ClosedError):  # how it ended is found out at the first message
        channel.send(dict(setup))
    return ProgramProcess(channel, process, guard, lifeline, output)


def _guarded(pid: int) -> "tuple[subprocess.Popen[bytes], int]":
    """A shell that outlives this process and then ends the other's group, and the pipe at whose end it does so."""
    read, lifeline = os.pipe()
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "craftc-guard", str(pid)],
            stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(read)
    return guard, lifeline


def until(deadline: float) -> float:
    """The seconds until a time of the monotonic clock, at least 0."""
    return max(0.0, deadline - time.monotonic())
