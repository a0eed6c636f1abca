"""Streams to descriptors are buffered as those that they stand for."""

import io
import os
from collections.abc import Iterator

import pytest

from craftc.tolerant_stream import tolerant


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


def read(end: int) -> bytes:
    try:
        return os.read(end, 100)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(
    ("buffering", "word", "line"),
    [({"write_through": True}, b"word", b" line\n"), ({"line_buffering": True}, b"", b"word line\n"), ({}, b"", b"")],
    ids=["PYTHONUNBUFFERED", "terminal", "pipe"],
)
def test_what_is_written_arrives_when_it_would(
    pipe: tuple[int, int], buffering: dict[str, bool], word: bytes, line: bytes
) -> None:
    stream = tolerant(pipe[1], io.TextIOWrapper(io.BytesIO(), encoding="utf-8", **buffering))
    print("word", end="", file=stream)
    assert read(pipe[0]) == word
    print(" line", file=stream)
    assert read(pipe[0]) == line
    stream.flush()
    assert read(pipe[0]) == (b"" if word or line else b"word line\n")
