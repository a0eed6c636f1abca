"""Computes means, Student-t intervals and paired differences of a few seeds.

A run compares many variants with one baseline over few seeds. Each interval is for its own comparison, uncorrected, so
that it estimates one effect and reads the same whatever else was tried. What a reader may claim of all variants
together is a matter of tests, whose p-values `correction.py` adjusts. Intervals cover the choice of seeds, not that of
test samples. Only a spread over seeds makes an interval: equal values have none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from scipy import special

from craftc.report.power import ALPHA
from craftc.schemas.conclusion import Estimate, Interval

ROUNDING = 4 * 2.0**-23
"""What counts as rounding, as a part of the largest value: float32 has 24 binary digits (its epsilon is 2^-23).

A value in float32 is off by at most half an epsilon, a difference of two by a whole one, and two differences that would
be equal lie up to two apart; as many again are for the few operations by which a metric is computed. A spread that
small is no spread: a t-test would call three differences of 0.2, each rounded, overwhelming evidence (p = 9e-12).
"""


def estimate(values: Sequence[float], *, is_share: bool = False, overlap: float = 0.0) -> Estimate:
    """Mean and interval of one variant's values, at least one; no interval where there is no spread.

    Of a share, whose values lie between 0 and 1, an interval that would reach beyond them is that of the logit.
    `overlap` is that of folds, see `_mean_with_error`.
    """
    scale = max(abs(value) for value in values)
    mean, error = _mean_with_error(values, scale, overlap)
    interval = None if error is None else error.interval(mean)
    if interval is None or not is_share or min(values) < 0 or max(values) > 1 or _lies_in(interval, 0.0, 1.0):
        return Estimate(mean=mean, interval=interval, num_seeds=len(values))
    assert error is not None
    return Estimate(mean=mean, interval=_by_logit(mean, error.half_width()), num_seeds=len(values), form="logit")


class PairedDifference(NamedTuple):
    """`interval` and `p_value` are of the two-sided paired t-test, `error` what other tests need."""

    mean: float
    interval: Interval | None
    p_value: float | None
    error: "Error | None"


def paired_difference(
    values: Sequence[float], baseline: Sequence[float], *, are_shares: bool = False, overlap: float = 0.0
) -> PairedDifference:
    """The mean of `values - baseline` pair by pair, and what is known of it.

    At least one pair. One pair has no error, and nor have differences without any spread, all zero or not: nothing was
    seen by which they could be judged. Differences of shares lie between -1 and 1; what an interval has beyond is cut
    off, which takes nothing from how often it holds the true one.
    """
    scale = max(abs(value) for value in (*values, *baseline))
    mean, error = _mean_with_error([a - b for a, b in zip(values, baseline, strict=True)], scale, overlap)
    if error is None:
        return PairedDifference(mean, None, None, None)
    interval = error.interval(mean)
    if interval is not None and are_shares and max(map(abs, (*values, *baseline))) <= 1:
        interval = within_shares(interval)
    return PairedDifference(mean, interval, min(1.0, 2 * error.p_beyond(abs(mean))), error)


def within_shares(interval: Interval) -> Interval:
    """The part of an interval that a difference of shares can lie in."""
    return Interval(low=max(interval.low, -1.0), high=min(interval.high, 1.0))


def _lies_in(interval: Interval, low: float, high: float) -> bool:
    return low <= interval.low and interval.high <= high


def _by_logit(mean: float, half_width: float) -> Interval:
    """Student's interval of the logit of the mean, whose standard error follows by the delta method, taken back to
    shares (as Stata's `citype(logit)` and `svyciprop` of R's survey do). The mean of shares that spread is inside
    (0, 1)."""
    on_logit = half_width / (mean * (1 - mean))
    centre = float(special.logit(mean))
    return Interval(low=float(special.expit(centre - on_logit)), high=float(special.expit(centre + on_logit)))


@dataclass(frozen=True)
class Error:
    """The standard error of a mean, above 0, and its degrees of freedom: what a t-test needs beside the mean."""

    standard_error: float
    degrees_of_freedom: int

    def half_width(self, alpha: float = ALPHA) -> float:
        """Of the two-sided interval that misses the true mean with probability `alpha`."""
        return float(special.stdtrit(self.degrees_of_freedom, 1 - alpha / 2)) * self.standard_error

    def interval(self, mean: float, alpha: float = ALPHA) -> Interval | None:
        """None where it is too large to be written."""
        half_width = self.half_width(alpha)
        if not math.isfinite(abs(mean) + half_width):
            return None
        return Interval(low=mean - half_width, high=mean + half_width)

    def p_beyond(self, distance: float) -> float:
        """The one-sided p-value of a mean that lies `distance` beyond a bound; one that lies within has a negative
        one."""
        return float(special.stdtr(self.degrees_of_freedom, -distance / self.standard_error))


def _mean_with_error(values: Sequence[float], scale: float, overlap: float = 0.0) -> tuple[float, Error | None]:
    """The mean and its error; of one value and of equal ones the mean alone. `scale` sets what counts as rounding.

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
        return mean * unit, None
    if max(scaled) - min(scaled) < ROUNDING:
        return mean * unit, None
    variance = math.fsum((value - mean) ** 2 for value in scaled) / (num - 1)
    standard_error = unit * math.sqrt(variance / num if overlap == 0 else variance * (1 / num + overlap))
    return mean * unit, Error(standard_error, num - 1) if 0 < standard_error < math.inf else None
