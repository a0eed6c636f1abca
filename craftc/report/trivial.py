"""Says how a value compares with the trivial predictor, in a sentence."""

from craftc.report.numbers import bracketed, fixed
from craftc.schemas.conclusion import Estimate, Interval


def against_trivial(who: str, metric: str, value: Estimate, trivial: float, mode: str, decimals: int) -> str:
    """`the baseline (full) beats the trivial predictor: test/accuracy 0.912 [0.890, 0.934] against 0.100.`"""
    numbers = f"{metric} {value_text(value, decimals)} against {fixed(trivial, decimals)}"
    if value.interval is None:
        why = "one seed" if value.num_seeds == 1 else f"the same value in all {value.num_seeds} seeds"
        return f"{who} and the trivial predictor: {numbers} ({why}, no interval)."
    is_shown = _is_beyond(value.interval, trivial, mode)
    return f"{who} {'beats' if is_shown else 'is not shown to beat'} the trivial predictor: {numbers}."


def value_text(value: Estimate, decimals: int) -> str:
    """`0.912 [0.890, 0.934]`."""
    mean = fixed(value.mean, decimals)
    return f"{mean} {bracketed(value.interval, decimals)}" if value.interval else mean


def _is_beyond(interval: Interval, bound: float, mode: str) -> bool:
    return interval.low > bound if mode == "max" else interval.high < bound
