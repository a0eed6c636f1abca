"""A path on the command line to a spec's text, or the diagnostic that says why it cannot be read."""

from pathlib import Path

from craftc.schemas.diagnostic import Diagnostic, Position, Range


def read_spec(path: Path) -> str | Diagnostic:
    """The text of a file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    first = Position(line=1, column=1)
    return Diagnostic(
        code="unreadable-file", message=message, range=Range(filename=str(path), start=first, end=first)
    )
