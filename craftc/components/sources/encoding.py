"""Describes why a file is not UTF-8."""

from pathlib import Path

from craftc.components.errors import DataError


def not_utf8(path: Path, error: UnicodeDecodeError, where: str = "") -> DataError:
    """The error, with the command that converts the file. `where` the byte is, if that is known."""
    message = f"{path} is no UTF-8: {where or 'a byte'} is {error.object[error.start]:#04x}"
    hint = f"convert it: iconv -f ISO-8859-1 -t UTF-8 {path.name}, if that is what it is"
    return DataError("data-unreadable", message, hint, "data.source.path")
