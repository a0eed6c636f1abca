"""Assigns samples to splits, by their fractions and the samples' targets.

G: classes, S: splits.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.split_sizes import SHARES_DIFFER_BY, split_sizes
from craftc.components.errors import DataError

Indices = NDArray[np.int64]
Counts = NDArray[np.int64]


def split_indices(
    targets: NDArray[np.int64], fractions: Mapping[str, float], *, stratify: bool, seed: int
) -> dict[str, Indices]:
    """Share out all samples, each to one split, at random.

    Stratified, the number of a class's samples in a split differs from its fair share by less than 1, that of all
    samples by no more than 2, or 1 in 200 of them where that is more; otherwise that of all samples by less than 1.
    Many small classes may all be rounded in favour of one split: then they make up for each other. As far as that goes
    each class has a sample in train.

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
    shares = np.array(list(fractions.values()))
    drawn = []
    for group in groups:
        counts = _counts(len(group), shares, random)
        drawn.append((counts, random.permutation(group)))
    counts_GS = np.stack([counts for counts, _ in drawn])
    if stratify:
        first = list(fractions).index("train") if "train" in fractions else None
        counts_GS = balanced(counts_GS, shares, first)
    parts: dict[str, list[Indices]] = {name: [] for name in fractions}
    for counts, (_, order) in zip(counts_GS, drawn, strict=True):
        for name, piece in zip(fractions, np.split(order, np.cumsum(counts)[:-1]), strict=True):
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


def balanced(counts_GS: Counts, fractions: NDArray[np.float64], train: int | None) -> Counts:
    """Counts of which no split's sum is far from its share of all samples, and no class misses in split `train`.

    A class's count in a split stays the whole number below or above its fair share (controlled rounding, Cox 1987),
    so that one class gives a sample to another split and others take its place; but for a class with so few samples
    that train would have none.
    """
    counts_GS = counts_GS.copy()
    sizes_G = counts_GS.sum(axis=1)
    below_GS = np.floor(sizes_G[:, None] * fractions + 1e-9).astype(np.int64)
    above_GS = np.ceil(sizes_G[:, None] * fractions - 1e-9).astype(np.int64)
    if train is not None:
        _have_train(counts_GS, train)
        below_GS[:, train] = np.maximum(below_GS[:, train], 1)
        above_GS = np.maximum(above_GS, counts_GS)
    wanted_S = _wanted(int(sizes_G.sum()), fractions)
    allowed = max(2, sizes_G.sum() / SHARES_DIFFER_BY)
    excess_S = counts_GS.sum(axis=0) - wanted_S
    is_emptied = ((counts_GS.sum(axis=0) == 0) & (wanted_S > 0)).any()
    if is_emptied or np.abs(counts_GS.sum(axis=0) - fractions * sizes_G.sum()).max() > allowed:
        while excess_S.any() and _pass_on(counts_GS, excess_S, below_GS, above_GS):
            excess_S = counts_GS.sum(axis=0) - wanted_S
    return counts_GS


def _have_train(counts_GS: Counts, train: int) -> None:
    """Each class without a sample in train gets one from where it has most."""
    for row in np.flatnonzero(counts_GS[:, train] == 0):
        if counts_GS[row].sum() > 0:
            counts_GS[row, counts_GS[row].argmax()] -= 1
            counts_GS[row, train] += 1


def _wanted(total: int, fractions: NDArray[np.float64]) -> Counts:
    sizes = split_sizes(total, {str(index): float(fraction) for index, fraction in enumerate(fractions)})
    return np.array(list(sizes.values()), dtype=np.int64)


def _pass_on(counts_GS: Counts, excess_S: Counts, below_GS: Counts, above_GS: Counts) -> bool:
    """Move one sample from a split that has too many to one that has too few, by way of others where no class can
    give it directly; False where no way is left."""
    num_splits = counts_GS.shape[1]
    reached: dict[int, tuple[int, int]] = {}
    waiting = [int(split) for split in np.flatnonzero(excess_S > 0)]
    sources = set(waiting)
    while waiting:
        here = waiting.pop(0)
        gives = counts_GS[:, here] > below_GS[:, here]
        for there in range(num_splits):
            if there in sources or there in reached:
                continue
            rows = np.flatnonzero(gives & (counts_GS[:, there] < above_GS[:, there]))
            if not len(rows):
                continue
            # The class that has the most samples: of it, one more or less counts the least.
            reached[there] = here, int(rows[counts_GS[rows].sum(axis=1).argmax()])
            if excess_S[there] < 0:
                _move(counts_GS, reached, there)
                return True
            waiting.append(there)
    return False


def _move(counts_GS: Counts, reached: Mapping[int, tuple[int, int]], there: int) -> None:
    while there in reached:
        here, row = reached[there]
        counts_GS[row, here] -= 1
        counts_GS[row, there] += 1
        there = here
