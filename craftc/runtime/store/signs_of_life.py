"""Says how long ago a run wrote anything, so that one that hangs can be known."""

import time
from collections.abc import Iterable
from pathlib import Path

HANGS_S = 600.0
"""A run that trains writes something twice a minute; a program only as often as it reports or prints."""
_OF_RUN = ("log", "results.jsonl", "study.db", "study.db-wal", "driver.json")
_OF_TRIAL = (
    "metrics.jsonl",
    "pulse.json",
    "checkpoints/last.pt",
    "checkpoints/last.pt.json",
    "output.log",
    "result.json",
)


def silent_s(run: Path, store: Path, trials: Iterable[str]) -> float:
    """Seconds since a file of the run, or of one of its trials, was last written."""
    files = [run / name for name in _OF_RUN]
    files += [store / trial / name for trial in trials for name in _OF_TRIAL]
    return max(0.0, time.time() - max((_changed(path) for path in files), default=0.0))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
