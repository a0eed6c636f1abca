"""Text streams to file descriptors that may be closed or full: what cannot be written is dropped, and remembered."""

import errno
import io
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class TolerantFile(io.FileIO):
    """A descriptor that is left open. After the first failure nothing more is tried; `failure` says what went wrong.

    A run goes on when the pager or the terminal that showed it has gone: what it trains is kept.
    """

    failure: OSError | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: "Buffer", /) -> int:
        """As FileIO, and all that is dropped counts as written."""
        size = memoryview(data).nbytes
        if self.failure is not None:
            return size
        try:
            written = super().write(data)
        except BlockingIOError:
            raise
        except OSError as error:
            self.failure = error
            return size
        return written


class _Unbuffered(io.BufferedWriter):
    """Writes at once, as the streams of `python -u` do; a text stream that writes through to a buffer fills it only."""

    def write(self, data: "Buffer", /) -> int:
        """As BufferedWriter, and then flushed."""
        size = super().write(data)
        self.flush()
        return size


def tolerant(descriptor: int, like: TextIO) -> TextIO:
    """A stream to a descriptor, with the encoding and the buffering of another."""
    is_unbuffered = getattr(like, "write_through", False)
    file = TolerantFile(descriptor)
    return io.TextIOWrapper(
        _Unbuffered(file) if is_unbuffered else io.BufferedWriter(file),
        encoding=like.encoding,
        errors="backslashreplace" if like.errors in (None, "strict") else like.errors,
        line_buffering=getattr(like, "line_buffering", False),
        write_through=is_unbuffered,
    )


def failure_of(stream: TextIO) -> OSError | None:
    """Why a stream could not be written to, other than that its reader had read enough."""
    found = _failure(stream)
    return None if found is None or found.errno == errno.EPIPE else found


def is_unread(stream: TextIO) -> bool:
    """Whether the reader has gone."""
    found = _failure(stream)
    return found is not None and found.errno == errno.EPIPE


def _failure(stream: TextIO) -> OSError | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, TolerantFile) else None
