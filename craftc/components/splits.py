"""Assigns samples to splits, by their fractions and the samples' targets."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError

Indices = NDArray[np.int64]


def split_indices(
    targets: NDArray[np.int64], fractions: Mapping[str, float], *, stratify: bool, seed: int
) -> dict[str, Indices]:
    """Share out all samples, each to one split, at random.

    Stratified, the number of a class's samples in a split differs from its fair share by less than 1; otherwise the
    number of all samples does.

    Args:
        targets: Class of each sample, (N,).
        fractions: Split name to its share; together 1.
        stratify: Whether each class is shared out by itself.
        seed: Seed of the order in which samples are shared out.

    Returns:
        Split name to its samples' indices, ascending, in the order of `fractions`.

    Raises:
        ValueError: The fractions do not add up to 1.
    """
    if not math.isclose(sum(fractions.values()), 1.0, abs_tol=1e-6):
        raise ValueError(f"the fractions of the splits add up to {sum(fractions.values()):g}, not 1")
    # RandomState, because its streams are frozen across numpy versions, which a Generator's are not (NEP 19).
    random = np.random.RandomState(seed)
    strata = targets if stratify else np.zeros_like(targets)
    groups = [np.flatnonzero(strata == label) for label in np.unique(strata)]
    parts: dict[str, list[Indices]] = {name: [] for name in fractions}
    for group in groups:
        counts = _counts(len(group), np.array(list(fractions.values())), random)
        pieces = np.split(random.permutation(group), np.cumsum(counts)[:-1])
        for name, piece in zip(fractions, pieces, strict=True):
            parts[name].append(piece)
    return {name: np.sort(np.concatenate(pieces)).astype(np.int64) for name, pieces in parts.items()}


def check_disjoint(splits: Mapping[str, Indices]) -> None:
    """Raise DataError where a sample stands in two splits, or twice in one."""
    owner: dict[int, str] = {}
    for name, indices in splits.items():
        for index in indices.tolist():
            if index in owner:
                raise DataError(
                    "data-mismatch",
                    f'sample {index} (from 0) stands in split "{owner[index]}" and in split "{name}"',
                    "give each sample to one split",
                    "data.splits",
                )
            owner[index] = name


def _counts(total: int, fractions: NDArray[np.float64], random: np.random.RandomState) -> NDArray[np.int64]:
    """Whole numbers nearest to the shares that add up to `total`: largest remainders first, ties at random."""
    shares = fractions * total
    counts = np.floor(shares + 1e-9).astype(np.int64)
    # Rounded, so that 0.6 and 0.6 + 1e-16 are a tie and not a rule that favours one split in every class.
    remainders = np.round(shares - counts, 9)
    by_remainder = np.lexsort((random.permutation(len(shares)), -remainders))
    counts[by_remainder[: total - int(counts.sum())]] += 1
    return counts
