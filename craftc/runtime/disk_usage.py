"""A folder in; its files with their sizes, none behind a link, out."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class File:
    """`size` in bytes; `changed_at` in seconds since 1970. Hard links to one file have the same `inode`, and
    `num_links` counts all of them, wherever they are."""

    path: Path
    inode: tuple[int, int]
    num_links: int
    size: int
    changed_at: float


def files_of(path: Path) -> Iterator[File]:
    """All files beneath a folder, or the file itself. A symbolic link is a file of its own, and not followed.

    What vanishes meanwhile is left out. Raises OSError for what may not be read.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            with os.scandir(path) as entries:
                for entry in entries:
                    yield from files_of(Path(entry.path))
            return
        stat = path.lstat()
    except FileNotFoundError:
        return
    yield File(path, (stat.st_dev, stat.st_ino), stat.st_nlink, stat.st_size, stat.st_mtime)


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
