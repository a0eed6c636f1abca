"""Adjusts the p-values of a run's comparisons for their number."""

from collections.abc import Sequence

from craftc.report.power import ALPHA
from craftc.schemas.analysis_plan import Correction

CORRECTIONS: dict[Correction, str] = {
    "holm": "Holm's correction",
    "bh": "the correction of Benjamini and Hochberg",
    "none": "no correction",
}


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm 1979, step-down Bonferroni), under whatever dependence between them: all
    comparisons share the baseline's trials. An unknown one counts, and stays unknown."""
    ranked = sorted(range(len(p_values)), key=lambda i: _or_one(p_values[i]))
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * _or_one(p_values[i])))
        adjusted[i] = None if p_values[i] is None else largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that those below 5% are false in 5% of cases (Benjamini and Hochberg 1995, step-up), where the
    comparisons are independent or positively dependent. An unknown one counts, and stays unknown."""
    ranked = sorted(range(len(p_values)), key=lambda i: _or_one(p_values[i]))
    adjusted: list[float | None] = [None] * len(p_values)
    least = 1.0
    for rank, i in reversed(list(enumerate(ranked, start=1))):
        least = min(least, len(p_values) / rank * _or_one(p_values[i]))
        adjusted[i] = None if p_values[i] is None else least
    return adjusted


def adjust(p_values: Sequence[float | None], correction: Correction) -> list[float | None]:
    """The p-values after a correction."""
    match correction:
        case "holm":
            return holm(p_values)
        case "bh":
            return benjamini_hochberg(p_values)
        case "none":
            return list(p_values)


def levels(p_values: Sequence[float | None], correction: Correction) -> list[float]:
    """The level at which each p-value is judged, in the order given: it is below exactly where its adjusted one is
    below 5%. An interval of that level says the same as the test.

    Holm's steps end at the first that is not below; all behind it are judged at its level. Of Benjamini and Hochberg
    all have the level of the last that is below (as in Benjamini and Yekutieli 2005), or that of the first step.
    """
    num = len(p_values)
    if correction == "none":
        return [ALPHA] * num
    adjusted = adjust(p_values, correction)
    num_below = sum(p is not None and p < ALPHA for p in adjusted)
    if correction == "bh":
        return [ALPHA * max(num_below, 1) / max(num, 1)] * num
    ranked = sorted(range(num), key=lambda i: _or_one(p_values[i]))
    found = [0.0] * num
    for rank, i in enumerate(ranked):
        found[i] = ALPHA / (num - min(rank, num_below))
    return found


def _or_one(p_value: float | None) -> float:
    return 1.0 if p_value is None else p_value
