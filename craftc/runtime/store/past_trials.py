"""Reads from the store what earlier trials took, those of a plan and others like them, without reading all of it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.planning.identity.with_defaults import with_defaults
from craftc.runtime.store.store import Store
from craftc.schemas.forecast import PastTrial
from craftc.training.foundation.trial_config import read_config
from craftc.training.state.result_file import read_result

MOST_READ = 200
"""Trials whose files are opened: half of them the plan's own, the others the newest of the store."""


def read_past(store: Store, reused: Sequence[str]) -> list[PastTrial]:
    """Some finished trials, newest first but those of `reused` before all others."""
    own = list(reused[: MOST_READ // 2])
    known = set(own)
    others = (trial for trial in _newest_first(store.root) if trial not in known)
    found: list[PastTrial] = []
    for trial in _chain(own, others):
        if len(found) == MOST_READ:
            break
        past = _read(store.folder(trial))
        if past is not None:
            found.append(past)
    return found


def epochs_done(store: Store, trials: Iterable[str]) -> dict[str, int]:
    """How many epochs each unfinished trial has behind it; those that were never begun are left out."""
    begun = {entry.name for entry in _entries(store.root)}
    done: dict[str, int] = {}
    for trial in trials:
        if trial in begun and (store.folder(trial) / "checkpoints" / "last.pt").is_file():
            history = store.history(trial)
            if history:
                done[trial] = history[-1].epoch
    return done


def _chain(own: Sequence[str], others: Iterator[str]) -> Iterator[str]:
    yield from own
    yield from others


def _newest_first(root: Path) -> list[str]:
    finished: list[tuple[float, str]] = []
    for entry in _entries(root):
        try:
            finished.append((os.stat(os.path.join(entry.path, "result.json")).st_mtime, entry.name))
        except OSError:
            continue  # not finished
    return [name for _, name in sorted(finished, reverse=True)]


def _entries(root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root) as entries:
            return [entry for entry in entries if len(entry.name) == 64]
    except OSError:
        return []  # no store yet


def _read(folder: Path) -> PastTrial | None:
    """None for what is damaged or gone: an estimate does without."""
    try:
        config = with_defaults(read_config(folder), built_in_catalogue())
        return PastTrial(config=config, result=read_result(folder).result)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, ValidationError):
        return None
