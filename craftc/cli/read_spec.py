"""A path on the command line to a spec's text, or the diagnostic that says why it cannot be read."""

from pathlib import Path

from craftc.compiler.parse import MAX_BYTES
from craftc.schemas.diagnostic import Diagnostic, Position, Range


def read_spec(path: Path) -> str | Diagnostic:
    """The text of a file, its line ends made one newline each. No more is read than a spec may be long."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            message = f"larger than {MAX_BYTES >> 20} MiB; a spec is a page of text"
            return _unreadable(path, "document-too-large", message)
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    return _unreadable(path, "unreadable-file", message)


def _unreadable(path: Path, code: str, message: str) -> Diagnostic:
    first = Position(line=1, column=1)
    return Diagnostic(code=code, message=message, range=Range(filename=str(path), start=first, end=first))
