"""Lists the files of a folder with their sizes, without following links."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class File(NamedTuple):
    """`size` in bytes; `changed_at` in seconds since 1970. Hard links to one file have the same `inode`, and
    `num_links` counts all of them, wherever they are."""

    path: str
    inode: tuple[int, int]
    num_links: int
    size: int
    changed_at: float


def files_of(path: Path) -> Iterator[File]:
    """All files beneath a folder, or the file itself. A symbolic link is a file of its own, and not followed.

    What vanishes meanwhile is left out. Raises OSError for what may not be read.
    """
    if path.is_dir() and not path.is_symlink():
        yield from _files_in(str(path))
        return
    with suppress(FileNotFoundError):
        yield _file(str(path), path.lstat())


def _files_in(folder: str) -> Iterator[File]:
    """Plain text instead of Path: a store has a hundred thousand files."""
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except FileNotFoundError:
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_in(entry.path)
        else:
            with suppress(FileNotFoundError):
                yield _file(entry.path, entry.stat(follow_symlinks=False))


def _file(path: str, stat: os.stat_result) -> File:
    return File(path, (stat.st_dev, stat.st_ino), stat.st_nlink, stat.st_size, stat.st_mtime)


def total_size(files: Iterable[File]) -> int:
    """The bytes in the files, those of hard links to one file once."""
    return sum({file.inode: file.size for file in files}.values())


def freed_size(files: Iterable[File]) -> int:
    """The bytes that go when the files do: not those of a file that has a link elsewhere."""
    met: dict[tuple[int, int], int] = {}
    freed = 0
    for file in {file.path: file for file in files}.values():
        met[file.inode] = met.get(file.inode, 0) + 1
        if met[file.inode] == file.num_links:
            freed += file.size
    return freed


def size_text(size: int) -> str:
    """`812 B`, `1.2 MiB`."""
    value = float(size)
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == UNITS[0] else f"{value:.1f} {unit}"
