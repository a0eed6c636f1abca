"""Computes means, Student-t intervals, paired differences and adjusted p-values of a few seeds.

A run compares many variants with one baseline over few seeds. Each interval is for its own comparison, uncorrected, so
that it estimates one effect and reads the same whatever else was tried. What a reader may claim of all variants
together is a matter of tests: their p-values are adjusted by Holm's method, which holds under any dependence between
the comparisons (they share the baseline's trials). Intervals cover the choice of seeds, not that of test samples.
Only a spread over seeds makes an interval: equal values have none.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from scipy import special

from craftc.schemas.conclusion import Difference, Estimate, Interval

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE

ROUNDING = 4 * 2.0**-23
"""What counts as rounding, as a part of the largest value: float32 has 24 binary digits (its epsilon is 2^-23).

A value in float32 is off by at most half an epsilon, a difference of two by a whole one, and two differences that would
be equal lie up to two apart; as many again are for the few operations by which a metric is computed. A spread that
small is no spread: a t-test would call three differences of 0.2, each rounded, overwhelming evidence (p = 9e-12).
"""


def estimate(values: Sequence[float], *, is_share: bool = False, overlap: float = 0.0) -> Estimate:
    """Mean and interval of one variant's values, at least one; no interval where there is no spread.

    Of a share, whose values lie between 0 and 1, an interval that would reach beyond them is that of the logit.
    `overlap` is that of folds, see `_student_t`.
    """
    scale = max(abs(value) for value in values)
    mean, half_width, _ = _student_t(values, scale, overlap)
    interval = _around(mean, half_width)
    if interval is None or not is_share or min(values) < 0 or max(values) > 1 or _lies_in(interval, 0.0, 1.0):
        return Estimate(mean=mean, interval=interval, num_seeds=len(values))
    assert half_width is not None
    return Estimate(mean=mean, interval=_by_logit(mean, half_width), num_seeds=len(values), form="logit")


def paired_difference(
    values: Sequence[float], baseline: Sequence[float], *, are_shares: bool = False, overlap: float = 0.0
) -> tuple[float, Interval | None, float | None]:
    """Mean of `values - baseline` pair by pair, its interval, and the p-value of the two-sided paired t-test.

    At least one pair. One pair has neither interval nor p-value, and nor have differences without any spread, all zero
    or not: nothing was seen by which they could be judged. Differences of shares lie between -1 and 1; what an interval
    has beyond is cut off, which takes nothing from how often it holds the true one.
    """
    scale = max(abs(value) for value in (*values, *baseline))
    mean, half_width, p_value = _student_t([a - b for a, b in zip(values, baseline, strict=True)], scale, overlap)
    interval = _around(mean, half_width)
    if interval is not None and are_shares and max(map(abs, (*values, *baseline))) <= 1:
        interval = Interval(low=max(interval.low, -1.0), high=min(interval.high, 1.0))
    return mean, interval, p_value


def paired_error(values: Sequence[float], baseline: Sequence[float], overlap: float = 0.0) -> float | None:
    """The standard error of the mean of `values - baseline`; None where there is no spread, as of one pair."""
    scale = max(abs(value) for value in (*values, *baseline)) or 1.0
    scaled = [(a - b) / scale for a, b in zip(values, baseline, strict=True)]
    if len(scaled) < 2 or max(scaled) - min(scaled) < ROUNDING:
        return None
    return _standard_error(scaled, fmean(scaled), overlap) * scale


def equivalence(mean: float, standard_error: float, num_pairs: int, margin: float) -> float:
    """The p-value of two one-sided t-tests of whether a mean lies within `margin` of zero (Schuirmann 1987): the larger
    of the two."""
    return float(special.stdtr(num_pairs - 1, (abs(mean) - margin) / standard_error))


def interval_at(difference: Difference, level: float) -> Interval:
    """The interval of a paired difference at another level than 95%. It has to have a standard error."""
    assert difference.standard_error is not None
    half_width = float(special.stdtrit(difference.num_pairs - 1, (1 + level) / 2)) * difference.standard_error
    return Interval(low=difference.mean - half_width, high=difference.mean + half_width)


def smallest_seen(deviation: float, num_pairs: int, power: float = 0.8) -> float:
    """The least difference that a paired t-test at 5% shows with this power, of differences that spread so: by the
    noncentral t distribution. At least two pairs."""
    df, critical = num_pairs - 1, float(special.stdtrit(num_pairs - 1, 1 - ALPHA / 2))
    low, high = 0.0, 1.0
    while _power(high, df, critical) < power:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, df, critical) < power else (low, middle)
    return high * deviation / math.sqrt(num_pairs)


def _power(noncentrality: float, df: int, critical: float) -> float:
    """Of the two-sided t-test: how often it shows the difference. To show one the other way is not counted."""
    return 1 - float(special.nctdtr(df, noncentrality, critical))


def seeds_to_see(deviation: float, size: float, *, most: int = 1000) -> int | None:
    """The fewest pairs with which a difference of `size` is shown in 80% of runs, two at least; None: more than
    `most`."""
    low, high = 2, most
    if smallest_seen(deviation, high) > size:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if smallest_seen(deviation, middle) <= size else (middle + 1, high)
    return low


def _lies_in(interval: Interval, low: float, high: float) -> bool:
    return low <= interval.low and interval.high <= high


def _by_logit(mean: float, half_width: float) -> Interval:
    """Student's interval of the logit of the mean, whose standard error follows by the delta method, taken back to
    shares (as Stata's `citype(logit)` and `svyciprop` of R's survey do). The mean of shares that spread is inside
    (0, 1)."""
    on_logit = half_width / (mean * (1 - mean))
    centre = float(special.logit(mean))
    return Interval(low=float(special.expit(centre - on_logit)), high=float(special.expit(centre + on_logit)))


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


def _student_t(values: Sequence[float], scale: float, overlap: float = 0.0) -> tuple[float, float | None, float | None]:
    """Mean, half-width of the interval, p-value of the mean being zero; of one value and of equal ones the mean alone.
    `scale` sets what counts as rounding.

    `overlap` is that of folds, whose values are not independent as they have most of their training samples in common:
    samples held out over samples trained on, by which the variance of the mean rises (Nadeau and Bengio 2003).
    """
    num = len(values)
    unit = scale or 1.0  # so that squares neither overflow nor vanish
    scaled = [value / unit for value in values]
    mean = fmean(scaled)
    if max(abs(value) for value in scaled) < ROUNDING:
        mean = 0.0
    if num == 1:
        return mean * unit, None, None
    if max(scaled) - min(scaled) < ROUNDING:
        return mean * unit, None, None
    standard_error = _standard_error(scaled, mean, overlap)
    half_width = float(special.stdtrit(num - 1, 1 - ALPHA / 2)) * standard_error
    p_value = min(1.0, 2 * float(special.stdtr(num - 1, -abs(mean) / standard_error)))
    return mean * unit, half_width * unit, p_value


def _standard_error(values: Sequence[float], mean: float, overlap: float) -> float:
    num = len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (num - 1)
    return math.sqrt(variance / num if overlap == 0 else variance * (1 / num + overlap))


def _around(mean: float, half_width: float | None) -> Interval | None:
    if half_width is None or not math.isfinite(abs(mean) + half_width):
        return None
    return Interval(low=mean - half_width, high=mean + half_width)
