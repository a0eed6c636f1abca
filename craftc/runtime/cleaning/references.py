"""Finds which trials each run refers to, however damaged its files are."""

import mmap
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

STORE = "store"
PLAN = "plan.json"
RESULTS = "results.jsonl"
DATABASE = "study.db"
FILES = (PLAN, RESULTS, "search.json", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal", "wandb.json")
"""Where the files of a run name trials."""

_FINGERPRINT = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class References:
    """Reads again only those files that have changed since the last time."""

    runs_dir: Path
    _read: dict[Path, tuple[_Stamp, frozenset[str]]] = field(default_factory=dict)

    def by_run(self) -> dict[Path, frozenset[str]]:
        """Every fingerprint that a run's files hold, those of a run with a damaged plan too.

        Folders that are no longer called as a run is count, and linked ones. Raises OSError for what cannot be read,
        since nothing may be taken for unreferred to then.
        """
        return {run: frozenset().union(*map(self._of_file, _files(run))) for run in _run_folders(self.runs_dir)}

    def _of_file(self, path: Path) -> frozenset[str]:
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
        known = self._read.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        found = frozenset(_fingerprints(path))
        if path.name == DATABASE:
            found |= frozenset(_in_database(path))
        self._read[path] = stamp, found
        return found


def _run_folders(runs_dir: Path) -> Iterator[Path]:
    """Folders that hold files of a run: a run's place is two levels down, but someone may have moved one."""
    for folder in _folders(runs_dir):
        for run in (folder, *_folders(folder)):
            if any(_files(run)):
                yield run


def _folders(folder: Path) -> list[Path]:
    """Those that are not hidden: what is being removed is."""
    if not folder.is_dir():
        return []
    names = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name != STORE)
    return sorted(path for path in names if path.is_dir())


def _files(run: Path) -> Iterator[Path]:
    return (path for name in FILES if (path := run / name).is_file())


def _fingerprints(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for match in _FINGERPRINT.finditer(content):
                yield match.group().decode()


def _in_database(path: Path) -> Iterator[str]:
    """A long value of SQLite's lies in pieces, so that its bytes alone may not show it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as database:
            for line in database.iterdump():
                for match in _FINGERPRINT.finditer(line.encode()):
                    yield match.group().decode()
    except sqlite3.DatabaseError:
        return  # a damaged one; its bytes were read
