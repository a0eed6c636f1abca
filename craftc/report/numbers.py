"""Decides how many decimals values deserve, and writes them."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from craftc.schemas.conclusion import Conclusion, Estimate, Interval

SCIENTIFIC = -1
"""In place of a number of decimals: values too small for a fixed point."""

MOST_DECIMALS = 8
LARGEST_FIXED = 1e7  # wider numbers would push the other columns out of the terminal


def choose_decimals(conclusion: Conclusion) -> int:
    """One number of decimals for the whole report, so that every column aligns."""
    rows = conclusion.variants
    return decimals_for(
        [row.value for row in rows if row.value and row.is_baseline],
        [row.value for row in rows if row.value],
        [row.difference.interval for row in rows if row.difference and row.difference.interval],
    )


def decimals_for(baselines: Sequence[Estimate], values: Sequence[Estimate], differences: Sequence[Interval]) -> int:
    """Three where the baseline is about 1, and as many more as it takes to show two digits of a typical half-width and
    one digit of whatever keeps the interval of a difference away from zero.

    A variant that diverged does not take decimals from others. Without a baseline, all `values` stand for it.
    """
    intervals = [value.interval for value in values if value.interval]
    typical = _median_magnitude(value.mean for value in baselines)
    if typical is None:
        typical = _median_magnitude(value.mean for value in values)
    decimals = 3 if typical is None else max(0, 3 - typical if typical >= 0 else 2 - typical)
    if decimals > MOST_DECIMALS:
        return SCIENTIFIC
    width = _median_magnitude((interval.high - interval.low) / 2 for interval in (*intervals, *differences))
    if width is not None:
        decimals = max(decimals, min(1 - width, decimals + 2))
    bounds = [min(abs(i.low), abs(i.high)) for i in differences if i.low > 0 or i.high < 0]
    if bounds:
        decimals = max(decimals, min(-_magnitude(min(bounds)), decimals + 3))
    return min(decimals, MOST_DECIMALS)


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """The number in plain digits, never "-0"; with an exponent where it would be too long or all zeros."""
    if decimals == SCIENTIFIC or abs(value) >= LARGEST_FIXED:
        return f"{value:+.2e}" if sign else f"{value:z.2e}"
    return f"{value:+z.{decimals}f}" if sign else f"{value:z.{decimals}f}"


def bracketed(interval: Interval, decimals: int, *, sign: bool = False) -> str:
    """`[low, high]`."""
    return f"[{fixed(interval.low, decimals, sign=sign)}, {fixed(interval.high, decimals, sign=sign)}]"


def p_value_text(p_value: float) -> str:
    """Three decimals; below that, only that it is below."""
    return "<0.001" if p_value < 0.0005 else f"{p_value:.3f}"


def _magnitude(value: float) -> int:
    """The exponent of ten of a number other than zero."""
    return math.floor(math.log10(abs(value)))


def _median_magnitude(values: Iterable[float]) -> int | None:
    known = [abs(value) for value in values if value != 0]
    return _magnitude(median(known)) if known else None


def counted(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
