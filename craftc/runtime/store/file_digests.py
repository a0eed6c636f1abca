"""Remembers the digests of data files by their size and times, in `<store>/digests.json`.

A gigabyte takes half a second to hash, and every command that plans would do it again.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from craftc.compiler.planning.identity.fingerprint import hash_file
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.seal import sealed_json, unsealed

FORMAT = 1
YOUNG_S = 2.0
"""A file that is younger may change again without a new stamp: file systems tell times apart by up to two seconds."""
MAX_KNOWN = 200_000
"""Files of which a digest is kept; those that were not asked for the longest are forgotten first."""

Stamp = tuple[int, int, int, int, int]


class FileDigests:
    """Hashes a file, or knows its digest since it was hashed; to be handed to the compiler.

    A digest is kept only of a file that had not changed for two seconds when it was hashed, and is believed as long as
    size, times, inode and device are the same. Several processes may use one file at once: each writes it whole,
    with what the others have written since, and what is lost between two of them is hashed again.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """`path` need not exist, nor be readable."""
        self._path = path
        self._now = now
        self._known = _read(path)
        self._used: dict[str, tuple[Stamp, str]] = {}
        self._is_new = False

    def __call__(self, path: Path) -> str:
        """Hex SHA-256 of the file's bytes. Raises OSError."""
        name = os.path.realpath(path)
        begun = self._now()
        stamp = _stamp(name)
        known = self._used.get(name) or self._known.get(name)
        if known is None or known[0] != stamp:
            known = stamp, hash_file(path)
            is_settled = max(stamp[1], stamp[2]) / 1e9 < begun - YOUNG_S and _stamp(name) == stamp
            if not is_settled:
                return known[1]
            self._is_new = True
        self._used[name] = known
        return known[1]

    def save(self) -> None:
        """Write what was learnt, if anything was; not where there is no store yet. A store that cannot be written to
        is no mistake: the files are hashed again the next time."""
        if not self._is_new or not self._path.parent.is_dir():
            return
        latest = _read(self._path)
        for name in self._used:
            latest.pop(name, None)
        kept = {name: known for name, known in latest.items() if os.path.exists(name)} | self._used
        files = {name: [*stamp, digest] for name, (stamp, digest) in list(kept.items())[-MAX_KNOWN:]}
        try:
            content = json.dumps({"format": FORMAT, "files": files}).encode() + b"\n"
            write_atomically(self._path, sealed_json(content))
        except OSError:
            return
        self._is_new = False


def _stamp(path: str) -> Stamp:
    # The time of the last change of the inode, which no program can set, tells of a file whose other time was set back.
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def _read(path: Path) -> dict[str, tuple[Stamp, str]]:
    """What the file says; nothing where it is not there, damaged or of another format."""
    try:
        content = json.loads(unsealed(path.read_bytes()).content)
        if content["format"] != FORMAT:
            return {}
        return {name: _entry(entry) for name, entry in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _entry(entry: list[Any]) -> tuple[Stamp, str]:
    size, modified, changed, inode, device, digest = entry
    if not isinstance(digest, str) or len(digest) != 64:
        raise ValueError(digest)
    return (size, modified, changed, inode, device), digest
