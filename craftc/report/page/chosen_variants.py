"""Chooses the variants that figures show, where a page has no room for all."""

from craftc.schemas.conclusion import Conclusion, VariantSummary

MOST_ROWS = 60
"""Of the forest plot."""
MOST_PANELS = 12
"""Of small figures side by side, one for each variant."""


def different(conclusion: Conclusion) -> list[VariantSummary]:
    """The baseline, then every variant that has trials of its own."""
    own = [row for row in conclusion.variants if row.same_as is None]
    return sorted(own, key=lambda row: not row.is_baseline)


def compared(conclusion: Conclusion) -> list[VariantSummary]:
    """The variants with a difference to the baseline, the best first."""
    rows = [row for row in conclusion.variants if row.difference is not None and row.same_as is None]
    sign = 1 if conclusion.mode == "min" else -1
    return sorted(rows, key=lambda row: sign * (row.difference.mean if row.difference else 0.0))


def forest_variants(conclusion: Conclusion) -> list[VariantSummary]:
    """The best first; of too many those with the largest differences."""
    return [row for row in compared(conclusion) if row.name in _largest(conclusion, MOST_ROWS)]


def pair_variants(conclusion: Conclusion) -> list[VariantSummary]:
    """As in the forest plot, fewer."""
    return [row for row in compared(conclusion) if row.name in _largest(conclusion, MOST_PANELS)]


def curve_variants(conclusion: Conclusion) -> list[VariantSummary]:
    """The baseline, then the others in the order of the plan; of too many those with the largest differences, and those
    that have none before them: what failed or still runs is what a curve may explain."""
    rows = different(conclusion)
    if len(rows) <= MOST_PANELS:
        return rows
    ranked = sorted(rows, key=lambda row: (not row.is_baseline, row.difference is not None, -_size(row)))
    kept = {row.name for row in ranked[:MOST_PANELS]}
    return [row for row in rows if row.name in kept]


def _largest(conclusion: Conclusion, most: int) -> set[str]:
    return {row.name for row in sorted(compared(conclusion), key=lambda row: -_size(row))[:most]}


def _size(row: VariantSummary) -> float:
    return abs(row.difference.mean) if row.difference else 0.0
