"""Appends to, reads and cuts a trial's `metrics.jsonl`, which has one line per epoch."""

import json
from collections.abc import Iterable
from pathlib import Path

from craftc.schemas.result import EpochRecord
from craftc.training.foundation.atomic_file import write_atomically

FILENAME = "metrics.jsonl"
_FIXED_KEYS = ("trial", "epoch", "step", "seconds")


def append_record(folder: Path, record: EpochRecord) -> Path:
    """Append one line; the file, which is still to be flushed to the disk."""
    path = folder / FILENAME
    with path.open("ab") as file:
        file.write(_line(record))
    return path


def read_history(folder: Path) -> list[EpochRecord]:
    """All whole lines, in order; empty where there is no file. A line cut short by a kill is left out."""
    try:
        lines = (folder / FILENAME).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [_record(line) for line in lines if line.endswith(b"\n")]


def cut_history(folder: Path, num_epochs: int) -> None:
    """Keep the lines of the first `num_epochs` epochs; the trial continues behind them."""
    if not (folder / FILENAME).exists():
        return
    write_history(folder, [record for record in read_history(folder) if record.epoch <= num_epochs])


def write_history(folder: Path, records: Iterable[EpochRecord]) -> None:
    """Write all lines."""
    write_atomically(folder / FILENAME, b"".join(map(_line, records)))


def _line(record: EpochRecord) -> bytes:
    fixed = {key: getattr(record, key) for key in _FIXED_KEYS}
    return (json.dumps(fixed | record.metrics, allow_nan=False) + "\n").encode()


def _record(line: bytes) -> EpochRecord:
    values = json.loads(line)
    fixed = {key: values.pop(key) for key in _FIXED_KEYS}
    return EpochRecord(**fixed, metrics=values)
