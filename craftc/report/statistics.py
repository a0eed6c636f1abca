"""Computes means, Student-t intervals, paired differences and adjusted p-values of a few seeds.

A run compares many variants with one baseline over few seeds. Each interval is for its own comparison, uncorrected, so
that it estimates one effect and reads the same whatever else was tried. What a reader may claim of all variants
together is a matter of tests: their p-values are adjusted by Holm's method, which holds under any dependence between
the comparisons (they share the baseline's trials). Intervals cover the choice of seeds, not that of test samples.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from scipy import special

from craftc.schemas.conclusion import Estimate, Interval

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE

# Differences of equal values differ in their last bits (0.9 - 0.7 and 0.8 - 0.6). A spread that small, relative to the
# values subtracted, is rounding; a t-test would call it overwhelming evidence.
ROUNDING = 1e-12


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of one variant's values, at least one."""
    scale = max(abs(value) for value in values)
    mean, half_width, _ = _student_t(values, scale)
    return Estimate(mean=mean, interval=_around(mean, half_width), num_seeds=len(values))


def paired_difference(
    values: Sequence[float], baseline: Sequence[float]
) -> tuple[float, Interval | None, float | None]:
    """Mean of `values - baseline` pair by pair, its interval, and the p-value of the two-sided paired t-test.

    At least one pair. One pair has neither interval nor p-value. Without any spread the interval has zero width, and
    the p-value is 1 where all differences are zero and None otherwise: no spread was seen, so nothing can be tested.
    """
    scale = max(abs(value) for value in (*values, *baseline))
    mean, half_width, p_value = _student_t([a - b for a, b in zip(values, baseline, strict=True)], scale)
    return mean, _around(mean, half_width), p_value


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm 1979, step-down Bonferroni). An unknown one counts, and stays unknown."""
    ranked = sorted(range(len(p_values)), key=lambda i: _or_one(p_values[i]))
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * _or_one(p_values[i])))
        adjusted[i] = None if p_values[i] is None else largest
    return adjusted


def _or_one(p_value: float | None) -> float:
    return 1.0 if p_value is None else p_value


def _student_t(values: Sequence[float], scale: float) -> tuple[float, float | None, float | None]:
    """Mean, half-width of the interval, p-value of the mean being zero. `scale` sets what counts as rounding."""
    num = len(values)
    unit = scale or 1.0  # so that squares neither overflow nor vanish
    scaled = [value / unit for value in values]
    mean = fmean(scaled)
    if max(abs(value) for value in scaled) < ROUNDING:
        mean = 0.0
    if num == 1:
        return mean * unit, None, None
    if max(scaled) - min(scaled) < ROUNDING:
        return mean * unit, 0.0, 1.0 if mean == 0 else None
    standard_error = math.sqrt(math.fsum((value - mean) ** 2 for value in scaled) / (num - 1) / num)
    half_width = float(special.stdtrit(num - 1, 1 - ALPHA / 2)) * standard_error
    p_value = min(1.0, 2 * float(special.stdtr(num - 1, -abs(mean) / standard_error)))
    return mean * unit, half_width * unit, p_value


def _around(mean: float, half_width: float | None) -> Interval | None:
    if half_width is None or not math.isfinite(abs(mean) + half_width):
        return None
    return Interval(low=mean - half_width, high=mean + half_width)
