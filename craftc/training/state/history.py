"""Appends to, reads and cuts a trial's `metrics.jsonl`, which has one sealed line per epoch."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from craftc.schemas.result import EpochRecord
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.seal import last_seal, seal_of, sealed_line, sound_lines

FILENAME = "metrics.jsonl"
_FIXED_KEYS = ("trial", "epoch", "step", "seconds")


@dataclass(frozen=True)
class History:
    """The records of a trial up to the first line that is damaged; `fault` says what is wrong there.

    `is_sealed`: false for one of an earlier version of craftc, in which damage is only noticed where it is no record.
    """

    records: Sequence[EpochRecord] = ()
    fault: str | None = None
    is_sealed: bool = True


def append_record(folder: Path, record: EpochRecord) -> Path:
    """Append one line; the file, which is still to be flushed to the disk."""
    path = folder / FILENAME
    # Not by open(), whose buffers and seeks take longer than the line.
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        line = memoryview(sealed_line(_line(record), last_seal(descriptor)))
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)
    return path


def read_history(folder: Path, trial: str) -> History:
    """All whole lines, in order; none where there is no file. A line cut short by a kill is left out."""
    try:
        sound = sound_lines((folder / FILENAME).read_bytes())
    except FileNotFoundError:
        return History()
    records: list[EpochRecord] = []
    for number, line in enumerate(sound.lines, start=1):
        try:
            record = _record(line)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            return History(records, f"{FILENAME}: line {number} is no record", sound.is_sealed)
        if record.trial != trial:
            return History(records, f"{FILENAME}: line {number} is of trial {record.trial[:12]}", sound.is_sealed)
        if record.epoch != number:
            return History(records, f"{FILENAME}: line {number} is of epoch {record.epoch}", sound.is_sealed)
        records.append(record)
    return History(records, None if sound.fault is None else f"{FILENAME}: {sound.fault}", sound.is_sealed)


def history_seal(folder: Path) -> str | None:
    """The seal of the last line, which stands for all of them. None without a file, and where one is damaged or cut
    short."""
    try:
        return seal_of_content((folder / FILENAME).read_bytes())
    except FileNotFoundError:
        return None


def seal_of_content(content: bytes) -> str | None:
    """The same of the content of such a file."""
    sound = sound_lines(content)
    return sound.seal if sound.fault is None and sound.seal and content.endswith(b"\n") else None


def cut_history(folder: Path, trial: str, num_epochs: int) -> None:
    """Keep the lines of the first `num_epochs` epochs; the trial continues behind them."""
    if not (folder / FILENAME).exists():
        return
    write_history(folder, [record for record in read_history(folder, trial).records if record.epoch <= num_epochs])


def write_history(folder: Path, records: Iterable[EpochRecord]) -> None:
    """Write all lines."""
    write_atomically(folder / FILENAME, history_content(records))


def history_content(records: Iterable[EpochRecord]) -> bytes:
    """What stands in the file of these records."""
    lines: list[bytes] = []
    for record in records:
        lines.append(sealed_line(_line(record), seal_of(lines[-1]) if lines else ""))
    return b"".join(lines)


def _line(record: EpochRecord) -> bytes:
    fixed = {key: getattr(record, key) for key in _FIXED_KEYS}
    return (json.dumps(fixed | record.metrics, allow_nan=False) + "\n").encode()


def _record(line: bytes) -> EpochRecord:
    values = json.loads(line)
    fixed = {key: values.pop(key) for key in _FIXED_KEYS}
    return EpochRecord(**fixed, metrics=values)
