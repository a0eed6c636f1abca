"""Computes how many seeds a paired t-test needs to see a difference, and the least that so many see.

Without scipy, which `craftc plan` does not import: the distributions are those of whole degrees of freedom, which have
closed forms.
"""

import math
from functools import lru_cache

from craftc.schemas.analysis_plan import Correction

ALPHA = 0.05
"""The level of the tests of a run, before any correction."""
POWER = 0.8
MOST_SEEDS = 100
"""More are not counted."""
_STEP = 0.1
_REACH = 8.0
"""How far the normal distribution is summed up, in standard deviations: beyond are 1e-15 of it."""


def first_level(num: int, correction: Correction) -> float:
    """The level that the least of `num` p-values has to be below: what one comparison can count on."""
    return ALPHA if correction == "none" else ALPHA / max(num, 1)


def t_quantile(alpha: float, degrees_of_freedom: int) -> float:
    """The t that a two-sided test of level `alpha` has to exceed."""
    low, high = 0.0, 1.0
    while _two_sided(high, degrees_of_freedom) > alpha:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _two_sided(middle, degrees_of_freedom) > alpha else (low, middle)
    return high


def power(effect: float, num: int, alpha: float) -> float:
    """How often a two-sided paired t-test of `num` pairs, at least two, finds a true difference of `effect` standard
    deviations of the differences: |t| has the noncentral t distribution."""
    df, noncentrality = num - 1, abs(effect) * math.sqrt(num)
    return _power(noncentrality, df, t_quantile(alpha, df))


@lru_cache(maxsize=1024)
def detectable_effect(num: int, alpha: float) -> float:
    """The least true difference, in standard deviations of the differences, that `num` pairs, at least two, find with
    80% power at level `alpha`."""
    df = num - 1
    bound = t_quantile(alpha, df)
    low, high = 0.0, bound + 2.0
    while _power(high, df, bound) < POWER:
        high *= 2
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, df, bound) < POWER else (low, middle)
    return high / math.sqrt(num)


def seeds_needed(effect: float, alpha: float) -> int | None:
    """The fewest pairs that find a true difference of `effect` standard deviations of the differences with 80% power;
    None for more than MOST_SEEDS."""
    low, high = 2, MOST_SEEDS
    if detectable_effect(high, alpha) > abs(effect):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if detectable_effect(middle, alpha) > abs(effect) else (low, middle)
    return high


def _power(noncentrality: float, df: int, bound: float) -> float:
    """P(|(Z + noncentrality) / sqrt(X / df)| > bound), X chi-squared: summed over Z by the trapezoidal rule."""
    count = round(2 * _REACH / _STEP)
    total = 0.0
    for index in range(count + 1):
        z = index * _STEP - _REACH
        total += math.exp(-z * z / 2) * _chi_squared_below(df * ((z + noncentrality) / bound) ** 2, df)
    return total * _STEP / math.sqrt(2 * math.pi)


def _chi_squared_below(x: float, df: int) -> float:
    """The distribution function of whole degrees of freedom (Abramowitz and Stegun 26.4.4 and 26.4.5)."""
    half = x / 2
    if half > 700.0:
        return 1.0
    first = 0.5 if df % 2 else 0.0
    below = math.erf(math.sqrt(half)) if df % 2 else 1.0
    term = math.exp(-half) * (math.sqrt(half) / math.gamma(1.5) if df % 2 else 1.0)
    for index in range(df // 2):
        below -= term
        term *= half / (index + 1 + first)
    return below


def _two_sided(t: float, df: int) -> float:
    """P(|T| > t) of Student's t of whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = df % 2
    total, term = 0.0, cosine if is_odd else 1.0
    for index in range(df // 2):
        total += term
        step = 2 * index + 2 if is_odd else 2 * index + 1
        term *= cosine * cosine * step / (step + 1)
    if is_odd:
        return 1 - 2 / math.pi * (angle + sine * total)
    return 1 - sine * total
