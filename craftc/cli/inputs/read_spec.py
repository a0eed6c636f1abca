"""Reads a spec's text from a path of the command line, or reports why it cannot be read."""

import sys
from pathlib import Path
from typing import IO

from craftc.compiler.reading.parse import MAX_BYTES
from craftc.schemas.diagnostic import Diagnostic, Position, Range


def read_spec(path: Path) -> str | Diagnostic:
    """The text of a file, its line ends made one newline each. No more is read than a spec may be long."""
    text = read_file(path)
    return text if isinstance(text, Diagnostic) else with_newlines(text)


def with_newlines(text: str) -> str:
    """A text without byte order mark, its line ends made one newline each."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_file(path: Path) -> str | Diagnostic:
    """The text of a file, every character as it is."""
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        return unreadable(str(path), f"cannot be read: {error.strerror}")


def read_standard_input(name: str) -> str | Diagnostic:
    """The same of what comes in on standard input; diagnostics call it `name`."""
    if sys.stdin is None:  # closed by who started the program
        return unreadable(name, "cannot be read: standard input is closed")
    return _read(sys.stdin.buffer, name)


def _read(file: IO[bytes], name: str) -> str | Diagnostic:
    try:
        data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            message = f"larger than {MAX_BYTES >> 20} MiB; a spec is a page of text"
            return unreadable(name, message, "document-too-large")
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
        before = with_newlines(error.object[: error.start].decode("utf-8"))
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return unreadable(name, message, place=Position(line=line, column=column))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    return unreadable(name, message)


_FIRST = Position(line=1, column=1)


def unreadable(name: str, message: str, code: str = "unreadable-file", place: Position = _FIRST) -> Diagnostic:
    """What is wrong with a file as a whole, or with its bytes at a place."""
    return Diagnostic(code=code, message=message, range=Range(filename=name, start=place, end=place))
