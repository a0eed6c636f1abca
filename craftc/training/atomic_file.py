"""Bytes in, a file on disk out that is either the old one or the new one, whatever is killed and when."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write under a temporary name in the same folder, flush to the disk, then rename over `path`.

    The folder must exist. Raises OSError; the temporary file is gone then.
    """
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """As `write_atomically`, for what is written piece by piece; it takes the place of `path` at the end."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            # mkstemp makes files that only their owner reads; a store may be shared.
            os.fchmod(descriptor, 0o666 & ~_umask())
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def link_atomically(source: Path, path: Path) -> None:
    """Make `path` another name of the file `source`, in place of what it was; a copy where there are no hard links.

    Whoever replaces one of the two later leaves the other as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        os.link(source, temporary)
    except OSError:
        write_atomically(path, source.read_bytes())
        return
    try:
        os.replace(temporary, path)
    finally:
        # Renaming one name of a file to another of its names does nothing.
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
