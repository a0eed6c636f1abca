"""Finds copies of samples on two sides of a split: exact ones by a hash of their numbers, and among images near ones.

B: bits of a hash, N: samples.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, DataWarning
from craftc.components.splits import Indices
from craftc.schemas.split_roles import FIT
from craftc.training.data.equal_rows import equal_by_chance

LEAST_SIDE = 32
"""Pixels: of smaller images most that are of one class are near each other."""
MOST_COMPARED = 50_000
"""Images among which near ones are looked for; it takes a second for so many."""
MOST_BY_CHANCE = 2
"""Times as many equal rows as are expected by chance, and their standard deviation, are no leak yet: columns depend on
each other in more ways than the estimate takes into account."""
SIDE = 8
NEAR = 0.01
"""The mean difference of two thumbnails, as a part of the range of all images, up to which they are near: what saving
as JPEG leaves of a picture is within 0.003."""
SHOWN = 3


@dataclass(frozen=True)
class Copies:
    """Pairs of a sample of train and its copy in another split, each of those once."""

    pairs: Sequence[tuple[int, int]]
    splits: Sequence[str]


def sample_digests(inputs: Sequence[NDArray[Any]]) -> list[bytes]:
    """SHA-256 of each sample's numbers in the arrays of all inputs, (N, ...) each; negative zero is zero."""
    rows = [np.ascontiguousarray(x.reshape(len(x), -1) + np.zeros(1, dtype=x.dtype)) for x in inputs]
    return [hashlib.sha256(b"".join(row.data for row in sample)).digest() for sample in zip(*rows, strict=True)]


def check_copies(
    digests: Sequence[bytes],
    inputs: NDArray[Any],
    indices: Mapping[str, Indices],
    names: NDArray[Any] | None,
    *,
    allowed: bool,
    rows: Sequence[NDArray[Any]] = (),
) -> tuple[DataWarning, ...]:
    """Raise DataError `split-leak` where copies of samples of train are in other splits, unless they are `allowed`;
    warn of near ones, which only look alike, and of equal `rows` of a table that chance explains."""
    if allowed:
        return ()
    exact = copies(digests, indices)
    if exact.pairs:
        message = f"{_counted(exact)} in {FIT} too: {_shown(exact, names)}"
        by_chance = equal_by_chance(rows, indices) if rows else 0.0
        if len(exact.pairs) <= MOST_BY_CHANCE * (by_chance + math.sqrt(by_chance)):
            about = max(1, round(by_chance))
            hint = (
                f"chance explains it: of rows with such values about {about:,} would be equal to one of {FIT} without "
                "any copy; allow_duplicates: true says that they are different samples, and is quiet"
            )
            return (DataWarning("equal-rows", message, hint, "data.splits"),)
        hint = (
            "drop the copies, or keep them on one side by a group; where equal samples are no copies, as in a table of "
            "few values, write allow_duplicates: true"
        )
        raise DataError("split-leak", message, hint, "data.splits")
    near = near_copies(inputs, indices)
    if near is None or not near.pairs:
        return ()
    message = f"{_counted(near)} nearly the same as images of {FIT}: {_shown(near, names)}"
    hint = (
        "look at them: crops and frames of one picture belong on one side, by a group; allow_duplicates: true is quiet"
    )
    return (DataWarning("near-duplicates", message, hint, "data.splits"),)


def copies(digests: Sequence[Any], indices: Mapping[str, Indices]) -> Copies:
    """The samples of other splits that train has too."""
    first: dict[Any, int] = {}
    for index in indices[FIT].tolist():
        first.setdefault(digests[index], index)
    pairs, splits = [], []
    for name, chosen in indices.items():
        for index in chosen.tolist() if name != FIT else ():
            if digests[index] in first:
                pairs.append((first[digests[index]], index))
                splits.append(name)
    return Copies(pairs, splits)


def near_copies(inputs: NDArray[Any], indices: Mapping[str, Indices]) -> Copies | None:
    """The images of other splits that look like one of train: those of one difference hash, across or down (Krawetz
    2013), whose thumbnails agree. None where the samples are no images, or too small or too many of them."""
    if inputs.ndim < 3 or min(inputs.shape[-2:]) < LEAST_SIDE or len(inputs) > MOST_COMPARED:
        return None
    small = _thumbnails(inputs)
    scale = float(np.ptp(small)) or 1.0
    across, down = _bits(np.diff(small, axis=2)), _bits(np.diff(small, axis=1))
    found: dict[int, tuple[int, str]] = {}
    for hashes in (across, down):
        by_hash: dict[bytes, list[int]] = {}
        for index in indices[FIT].tolist():
            by_hash.setdefault(hashes[index], []).append(index)
        for name, chosen in indices.items():
            for index in chosen.tolist() if name != FIT else ():
                if index in found or hashes[index] not in by_hash:
                    continue
                of_train = by_hash[hashes[index]]
                apart = np.abs(small[of_train] - small[index]).mean(axis=(1, 2))
                if apart.min() <= NEAR * scale and np.ptp(small[index]) > NEAR * scale:
                    found[index] = of_train[int(apart.argmin())], name
    return Copies([(train, index) for index, (train, _) in found.items()], [name for _, name in found.values()])


def _thumbnails(inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Means over equal parts of each image, (N, SIDE + 1, SIDE + 1)."""
    grey = inputs.mean(axis=1) if inputs.ndim == 4 else inputs
    for axis in (1, 2):
        edges = np.linspace(0, grey.shape[axis], SIDE + 2).astype(int)
        sums = np.add.reduceat(grey, edges[:-1], axis=axis, dtype=np.float32)
        shape = [1, 1, 1]
        shape[axis] = SIDE + 1
        grey = sums / np.diff(edges).reshape(shape)
    return grey.astype(np.float32)


def _bits(differences: NDArray[np.float32]) -> list[bytes]:
    packed = np.packbits(differences.reshape(len(differences), -1) > 0, axis=1)
    return [row.tobytes() for row in packed]


def _counted(copied: Copies) -> str:
    counts = {name: copied.splits.count(name) for name in dict.fromkeys(copied.splits)}
    return " and ".join(f"{count:,} sample{'s' if count > 1 else ''} of {name}" for name, count in counts.items()) + (
        " are" if len(copied.pairs) > 1 else " is"
    )


def _shown(copied: Copies, names: NDArray[Any] | None) -> str:
    def name(index: int) -> str:
        return f"sample {index}" if names is None else str(names[index])

    shown = zip(copied.pairs[:SHOWN], copied.splits, strict=False)
    return "; ".join(f"{name(index)} of {split} is {name(train)}" for (train, index), split in shown)
