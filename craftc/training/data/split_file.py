"""Reads and makes files that name each sample's split.

A file is one of three: JSON as a run writes it (`splits.json`), JSON of split to a list of samples, or CSV with a
header and two columns, the sample and its split. A sample is its number, from 0, or its id as text.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError
from craftc.components.splits import Indices

FORMAT = "craftc_splits"
SHOWN = 3
"""Samples that a message names, where it speaks of many."""
_PLACE = "data.splits.file"


@dataclass(frozen=True)
class SplitFile:
    """What a file says of the samples.

    Args:
        values: What each sample's split is called, (N,); nothing where the file leaves it out.
        named: Every split that the file has a sample of, be it one that the source does not have.
        errors: `split-unusable`: what it says of samples and cannot be.
    """

    values: NDArray[Any]
    named: frozenset[str]
    errors: tuple[DataError, ...]


def read_split_file(path: str, num_samples: int, ids: NDArray[Any] | None) -> SplitFile:
    """What a file says of each sample. `ids` are the names of the samples, where they have some.

    Raises DataError `split-unusable` where the file is none of its three forms.
    """
    shown = Path(path).name
    document = _document(path) if not path.lower().endswith(".csv") else None
    pairs = list(_rows(path)) if document is None else list(_listed(document, shown))
    positions = {str(name): at for at, name in enumerate(ids.tolist())} if ids is not None else {}
    noted = None if document is None else document.get("num_samples")
    names: list[str] = [""] * num_samples
    unknown: list[int | str] = []
    torn: list[str] = []
    for sample, split in pairs:
        at = _position(sample, positions, num_samples)
        if at is None:
            unknown.append(sample)
        elif names[at] not in ("", split):
            torn.append(f"sample {sample} in split {names[at]} and in split {split}")
        else:
            names[at] = split
    found = []
    if isinstance(noted, int) and noted != num_samples:
        found.append(f"{shown} is of {noted:,} samples, and the source gives {num_samples:,}")
    if unknown:
        some = f"; its ids are like {next(iter(positions))}" if positions else ", whose samples have numbers from 0"
        found.append(f"{shown} names {_listed_samples(unknown)}, which the source does not have{some}")
    if torn:
        found.append(f"{shown} has {'; '.join(torn[:SHOWN])}{_more(len(torn))}")
    named = frozenset(split for _, split in pairs)
    return SplitFile(np.array(names), named, tuple(map(_unusable, found)))


def _listed_samples(samples: Sequence[int | str]) -> str:
    listed = ", ".join(f'"{sample}"' for sample in samples[:SHOWN])
    return f"sample{'' if len(samples) == 1 else 's'} {listed}{_more(len(samples))}"


def _more(count: int) -> str:
    return f" and {count - SHOWN:,} more" if count > SHOWN else ""


def noted_digests(path: str) -> dict[str, str]:
    """Split to the digest of its samples' inputs, where a run wrote the file."""
    if path.lower().endswith(".csv"):
        return {}
    document = _document(path)
    splits = document.get("splits", {}) if FORMAT in document else {}
    return {name: split["sha256_of_inputs"] for name, split in splits.items() if "sha256_of_inputs" in split}


def _position(sample: int | str, positions: Mapping[str, int], num_samples: int) -> int | None:
    if isinstance(sample, str) and sample in positions:
        return positions[sample]
    is_number = isinstance(sample, int) or sample.isdecimal()
    if is_number and not positions.keys() & {str(sample)} and 0 <= int(sample) < num_samples:
        return int(sample)
    return None


def _document(path: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise _unusable(f"{path} holds no mapping of splits")
    return document


def _listed(document: Mapping[str, Any], shown: str) -> Iterator[tuple[int | str, str]]:
    splits = document.get("splits") if FORMAT in document else document
    if not isinstance(splits, Mapping):
        raise _unusable(f"{shown} holds no mapping of splits")
    for name, listed in splits.items():
        samples = listed.get("ids", listed.get("indices")) if isinstance(listed, Mapping) else listed
        if not isinstance(samples, list) or not all(type(sample) in (int, str) for sample in samples):
            raise _unusable(f"{shown} has no list of samples, as numbers or ids, for split {name}")
        yield from ((sample, str(name)) for sample in samples)


def _rows(path: str) -> Iterator[tuple[int | str, str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(f"{path} cannot be read as CSV: {error}") from error
    wrong = [number for number, row in enumerate(rows[1:], start=1) if len(row) != 2 or not row[1].strip()]
    if wrong:
        listed = f"row {wrong[0]}" if len(wrong) == 1 else f"rows {', '.join(map(str, wrong[:SHOWN]))}"
        are = f"{listed}{_more(len(wrong))} below the header {'is' if len(wrong) == 1 else 'are'}"
        raise _unusable(f"{path}: {are} not a sample and its split")
    yield from ((row[0].strip(), row[1].strip()) for row in rows[1:])


def _unusable(message: str) -> DataError:
    hint = "it is the splits.json of a run, JSON of split to a list of samples, or CSV with a header: sample,split"
    return DataError("split-unusable", message, hint, _PLACE)


def split_document(
    indices: Mapping[str, Indices],
    targets: NDArray[np.int64],
    class_names: Sequence[str],
    digests: Sequence[bytes] | None,
    ids: NDArray[Any] | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """What was drawn, as JSON that another spec can name. `about` says how; `digests` are those of the samples. Targets
    without names are no classes, and not counted."""
    return {
        FORMAT: 1,
        **about,
        "num_samples": len(targets),
        "splits": {
            name: {
                "num_samples": len(chosen),
                **({"classes": _counts(targets[chosen], class_names)} if class_names else {}),
                "sha256_of_ids": _sha256(_named(chosen, ids)),
                **({} if digests is None else {"sha256_of_inputs": _joined(digests, chosen)}),
                **({"indices": chosen.tolist()} if ids is None else {"ids": _named(chosen, ids)}),
            }
            for name, chosen in indices.items()
        },
    }


def _counts(targets: NDArray[np.int64], class_names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(targets, minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, counts, strict=True)}


def _named(chosen: Indices, ids: NDArray[Any] | None) -> list[Any]:
    return chosen.tolist() if ids is None else [str(name) for name in ids[chosen].tolist()]


def _sha256(names: list[Any]) -> str:
    return hashlib.sha256(json.dumps(names, separators=(",", ":")).encode()).hexdigest()


def _joined(digests: Sequence[bytes], chosen: Indices) -> str:
    total = hashlib.sha256()
    for index in chosen.tolist():
        total.update(digests[index])
    return total.hexdigest()
