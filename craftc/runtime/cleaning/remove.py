"""Removes what was chosen, one by one, and reports what it skips and why. A kill at any moment leaves a sound store."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from craftc.runtime.cleaning.read_contents import CHECKPOINTS, REMOVING, checkpoint_files, life_of
from craftc.runtime.cleaning.references import STORE, References
from craftc.runtime.store.store import Store
from craftc.runtime.store.trained_alike import entries
from craftc.schemas.store_contents import Removal, Skipped
from craftc.training.foundation.sidecar import is_whole

NOT_ENDED = {"running": "it runs", "unknown": "its driver is on another machine, and may live"}
REFRESH_S = 1.0
"""For how long what is known of references holds; a run may begin while trials are removed."""


def remove(runs_dir: Path, removals: Sequence[Removal], in_specs: frozenset[str]) -> Iterator[Removal | Skipped]:
    """Carry out what `choose_removals` chose, in its order, and tell of each.

    What is true of each is looked at again at its turn: a run that lives, a trial that is being trained or that a run
    names now, stays. `in_specs` are the fingerprints that specs name. Raises OSError where something cannot be removed.
    """
    named = _Named(runs_dir, in_specs)
    store = Store(runs_dir / STORE)
    entered = _entered(store) if removals else {}
    for removal in removals:
        reason = _remove(runs_dir / removal.path, removal, store, named)
        if reason is None and removal.kind in ("trial", "all-checkpoints"):
            _forget(entered.get(removal.name, ()))
        yield removal if reason is None else Skipped(removal=removal, reason=reason)


def _entered(store: Store) -> dict[str, list[Path]]:
    """By which trials of the same weights find each."""
    found: dict[str, list[Path]] = {}
    for trial, path in entries(store.root):
        found.setdefault(trial, []).append(path)
    return found


def _forget(paths: Sequence[Path]) -> None:
    """Nobody is to look for weights that are gone; an entry that stays is looked up in vain."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()  # where it was the last


class _Named:
    """Whether a run or a spec names a fingerprint, and whether any run lives, as of a moment ago."""

    def __init__(self, runs_dir: Path, in_specs: frozenset[str]) -> None:
        self._store = Store(runs_dir / STORE)
        self._references = References(runs_dir)
        self._in_specs = in_specs
        self._names: set[str] = set()
        self._lives = False
        self._read_at = float("-inf")

    def __contains__(self, fingerprint: str) -> bool:
        self._refresh()
        return fingerprint in self._names

    @property
    def a_run_lives(self) -> bool:
        self._refresh()
        return self._lives

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at > REFRESH_S:
            by_run = self._references.by_run()
            self._names = {name for names in by_run.values() for name in names} | self._in_specs
            self._lives = any(life_of(run, self._store) != "ended" for run in by_run)
            self._read_at = time.monotonic()


def _remove(path: Path, removal: Removal, store: Store, named: _Named) -> str | None:
    """Remove one thing; the reason where it stays."""
    match removal.kind:
        case "leftover":
            _remove_tree(path)
        case "run":
            return _remove_run(path, store)
        case "prepared":
            if named.a_run_lives:
                return "a run lives, which may read it"
            return _remove_prepared(path, removal.name)
        case "compiled":
            if named.a_run_lives:
                return "a run lives, which may use it"
            _remove_whole(path)
        case "trial" | "last-checkpoint" | "all-checkpoints":
            try:
                with store.lock(removal.name, timeout_s=0):
                    if removal.kind == "trial":
                        return _remove_trial(path, removal.name, named)
                    return _remove_checkpoints(path.parent, "last" if removal.kind == "last-checkpoint" else "all")
            except TimeoutError:
                return "it is being trained"
    return None


def _remove_run(path: Path, store: Store) -> str | None:
    life = life_of(path, store)
    if life != "ended":
        return NOT_ENDED[life]
    _remove_whole(path)
    return None


def _remove_trial(path: Path, trial: str, named: _Named) -> str | None:
    if trial in named:
        return "a run names it now"
    _remove_whole(path)
    return None


def _remove_prepared(path: Path, fingerprint: str) -> str | None:
    """Under the lock that whoever prepares it holds."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(path.with_name(f".{fingerprint}.lock"), timeout=0):
            _remove_whole(path)
    except Timeout:
        return "it is being prepared"
    return None


def _remove_checkpoints(trial: Path, which: Literal["last", "all"]) -> str | None:
    if not Store(trial.parent).is_finished(trial.name):
        return "it is not finished any more"
    if which == "last" and not is_whole(trial / CHECKPOINTS / "best.pt"):
        return "its best.pt is missing or damaged, so last.pt is its last good checkpoint"
    for path in checkpoint_files(trial, which):
        _remove_tree(path)
    return None


def _remove_whole(path: Path) -> None:
    """All or nothing: under another name, on the disk, first."""
    aside = path.with_name(f"{REMOVING}{path.name}-{os.getpid()}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return  # another process was faster
    _flush(path.parent)
    _remove_tree(aside)


def _remove_tree(path: Path) -> None:
    """Links in it go, and what they lead to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
