"""A log file in; for as long as it lasts, all that this process and its libraries print goes there instead."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from craftc.tolerant_stream import tolerant


@dataclass(frozen=True)
class Terminal:
    """What standard output and standard error were before they were redirected: where the user is looking."""

    stdout: TextIO
    stderr: TextIO


@contextmanager
def output_to(log: Path) -> Iterator[Terminal]:
    """Append everything written to file descriptors 1 and 2 to `log`, by this process, its threads and C++ parts, and
    by the processes that it starts: Ray's messages, Python's warnings, logging. The user is reached by what is yielded.

    Streams and descriptors are as before afterwards, also after an exception. Raises OSError where `log` cannot be
    opened.
    """
    with ExitStack() as stack:
        stdout = stack.enter_context(_kept(sys.stdout, 1))
        stderr = stack.enter_context(_kept(sys.stderr, 2))
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        stack.callback(os.close, target)
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            stack.enter_context(_redirected(name, descriptor, target))
        yield Terminal(stdout, stderr)


def print_to(log: Path) -> None:
    """Append to `log` from now on what this process, and what it starts, writes to file descriptors 1 and 2."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        _flush(stream)
        os.dup2(target, descriptor)
    os.close(target)


@contextmanager
def _kept(stream: TextIO, descriptor: int) -> Iterator[TextIO]:
    """A stream to where `stream` goes now, that stays when `descriptor` is redirected."""
    if _descriptor(stream) != descriptor:
        # Captured by a test, or replaced by the host program: redirecting the descriptor does not touch it.
        yield stream
        return
    copy = os.dup(descriptor)
    kept = tolerant(copy, stream)
    try:
        yield kept
    finally:
        _flush(kept)
        os.close(copy)


@contextmanager
def _redirected(name: str, descriptor: int, target: int) -> Iterator[None]:
    """Send the descriptor and the stream `sys.<name>` to `target`."""
    stream: TextIO = getattr(sys, name)
    _flush(stream)
    before = os.dup(descriptor)
    os.dup2(target, descriptor)
    if _descriptor(stream) != descriptor:
        # Never closed: a logging handler made meanwhile keeps it, and then writes where the descriptor leads.
        setattr(sys, name, open(descriptor, "w", buffering=1, closefd=False))  # noqa: SIM115
    try:
        yield
    finally:
        _flush(getattr(sys, name))
        _flush(stream)
        setattr(sys, name, stream)
        os.dup2(before, descriptor)
        os.close(before)


def _descriptor(stream: TextIO) -> int | None:
    """The stream's file descriptor; None for one that has none."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _flush(stream: TextIO) -> None:
    # A reader that has gone away must not keep the descriptors from being put back.
    with suppress(OSError, ValueError):
        stream.flush()
