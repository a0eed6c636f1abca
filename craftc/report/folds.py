"""Sums up the values of cross-validation: one for each fold, over its seeds."""

from collections.abc import Mapping
from statistics import fmean


def by_fold(values: Mapping[tuple[int | None, int], float]) -> dict[int, float]:
    """The mean over the seeds of each fold, of values by fold and seed."""
    found: dict[int, list[float]] = {}
    for (fold, _), value in values.items():
        found.setdefault(fold or 0, []).append(value)
    return {fold: fmean(each) for fold, each in sorted(found.items())}


def fold_overlap(num_folds: int) -> float:
    """Samples held out over samples that are not, in each of so many folds."""
    return 1 / (num_folds - 1) if num_folds > 1 else 0.0
