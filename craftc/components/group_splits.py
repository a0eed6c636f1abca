"""Assigns groups of samples to splits, whole, by fractions.

C: classes, G: groups, S: splits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError
from craftc.components.splits import Indices

MOST_IMPROVED = 2000
"""Groups that are moved again to come nearer to the fractions; of more, each is too small to matter."""
MAX_ROUNDS = 5


def group_indices(
    values: NDArray[Any],
    targets: NDArray[np.int64],
    fractions: Mapping[str, float],
    *,
    stratify: bool,
    seed: int,
) -> dict[str, Indices]:
    """Share out groups, each to one split, so that sizes, and stratified the classes, are near their fractions.

    The largest groups first, those of one size in random order, each to the split where it leaves the least sum of
    squared deviations of counts from their fair shares, each by that share, as scikit-learn's StratifiedGroupKFold does
    for folds of equal size; then single groups move on as long as that sum falls.

    Args:
        values: Group of each sample, (N,).
        targets: Class of each sample, (N,).
        fractions: Split name to its share; together 1.
        stratify: Whether classes count, or the number of samples alone.
        seed: Seed of the order of groups of one size.

    Raises:
        DataError: `empty-split`, where there are fewer groups than splits.
    """
    random = np.random.RandomState(seed)
    names, group_N = np.unique(values, return_inverse=True)
    if len(names) < len(fractions):
        message = f"{len(names)} groups cannot be in {len(fractions)} splits, each in one"
        raise DataError("empty-split", message, "name a column with more groups, or fewer splits", "data.splits.group")
    label_N = np.unique(targets, return_inverse=True)[1] if stratify else np.zeros(len(targets), dtype=np.int64)
    counts_GC = np.zeros((len(names), int(label_N.max()) + 1))
    np.add.at(counts_GC, (group_N, label_N), 1)
    if stratify:
        counts_GC = np.concatenate([counts_GC, counts_GC.sum(axis=1, keepdims=True)], axis=1)
    shares_S = np.array(list(fractions.values()))
    owner_G = _shared_out(counts_GC, shares_S, random)
    of_sample_N = owner_G[group_N]
    return {name: np.flatnonzero(of_sample_N == at).astype(np.int64) for at, name in enumerate(fractions)}


def _shared_out(
    counts_GC: NDArray[np.float64], shares_S: NDArray[np.float64], random: np.random.RandomState
) -> NDArray[np.int64]:
    """The split of each group."""
    fair_SC = shares_S[:, None] * counts_GC.sum(axis=0)
    have_SC = np.zeros_like(fair_SC)
    owner_G = np.zeros(len(counts_GC), dtype=np.int64)
    shuffled = random.permutation(len(counts_GC))
    largest_first = shuffled[np.argsort(-counts_GC[shuffled].sum(axis=1), kind="stable")]
    left = len(shares_S)
    for place, group in enumerate(largest_first):
        costs_S = _rise(have_SC, counts_GC[group], fair_SC)
        if len(counts_GC) - place <= left:  # so many groups are left as splits are empty
            costs_S = np.where(have_SC.sum(axis=1) == 0, costs_S, np.inf)
        chosen = int(costs_S.argmin())
        left -= int(have_SC[chosen].sum() == 0)
        have_SC[chosen] += counts_GC[group]
        owner_G[group] = chosen
    if len(counts_GC) <= MOST_IMPROVED:
        _improve(owner_G, have_SC, counts_GC, fair_SC)
    return owner_G


def _rise(
    have_SC: NDArray[np.float64], added_C: NDArray[np.float64], fair_SC: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By how much the deviation of each split rises with further samples."""
    off_SC = have_SC - fair_SC
    rise: NDArray[np.float64] = (((off_SC + added_C) ** 2 - off_SC**2) / fair_SC).sum(axis=1)
    return np.round(rise, 9)


def _improve(
    owner_G: NDArray[np.int64],
    have_SC: NDArray[np.float64],
    counts_GC: NDArray[np.float64],
    fair_SC: NDArray[np.float64],
) -> None:
    """Move single groups as long as that brings counts nearer to their fair shares; no split is emptied."""
    for _ in range(MAX_ROUNDS):
        moved = False
        for group, here in enumerate(owner_G):
            counts_C = counts_GC[group]
            if (owner_G == here).sum() == 1:
                continue
            without_SC = have_SC.copy()
            without_SC[here] -= counts_C
            costs_S = _rise(without_SC, counts_C, fair_SC)
            chosen = int(costs_S.argmin())
            if costs_S[chosen] < costs_S[here] - 1e-9:
                have_SC[here] -= counts_C
                have_SC[chosen] += counts_C
                owner_G[group] = chosen
                moved = True
        if not moved:
            return
