"""Writes the tables of a conclusion's searches as plain cells, for text and Markdown."""

from dataclasses import dataclass
from typing import Any

from craftc.report.numbers import choose_decimals, fixed
from craftc.schemas.choice import choice_label
from craftc.schemas.conclusion import Conclusion, PointSummary, SearchConclusion

NOTHING = "-"


@dataclass(frozen=True)
class Cells:
    """A table: the first column is text, the others are numbers or values."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def search_tables(conclusion: Conclusion) -> list[Cells]:
    """The points that were compared; then, per search, where each searched value started and where it ended."""
    if not conclusion.searches:
        return []
    decimals = choose_decimals(conclusion)
    return [
        _points(conclusion, decimals),
        *(_parameters(search, conclusion) for search in conclusion.searches if search.best),
    ]


def _points(conclusion: Conclusion, decimals: int) -> Cells:
    first = conclusion.searches[0]
    headline = f"{conclusion.metric.split}/{conclusion.metric.name}"
    rows = []
    for search in conclusion.searches:
        name = f"{search.variant}, " if len(conclusion.searches) > 1 else ""
        rows.append((f"{name}start", *_values(search.start, decimals)))
        if search.is_improved and search.best is not None:
            rows.append((f"{name}best found (point {search.best.number})", *_values(search.best, decimals)))
    goal = "lowest" if first.mode == "min" else "highest"
    return Cells(f"Search for the {goal} {first.metric}", ("setting", first.metric, headline), tuple(rows))


def _values(point: PointSummary | None, decimals: int) -> tuple[str, str]:
    if point is None:
        return NOTHING, NOTHING
    return fixed(point.value, decimals), fixed(point.headline.mean, decimals) if point.headline else NOTHING


def _parameters(search: SearchConclusion, conclusion: Conclusion) -> Cells:
    assert search.best is not None
    shares = search.importances or {}
    # Where nothing better was found, the best point is the starting point.
    best = value_text if search.is_improved else _at_start
    rows = []
    for path in sorted(search.best.params, key=lambda path: -shares.get(path, 0.0)):
        start = _at_start(search.start.params[path]) if search.start else NOTHING
        share = f"{shares[path]:.2f}" if path in shares else NOTHING
        rows.append((path, start, best(search.best.params[path]), share))
    title = f"Searched values of {search.variant}" if len(conclusion.searches) > 1 else "Searched values"
    return Cells(title, ("path", "start", "best", "importance"), tuple(rows))


def _at_start(value: Any) -> str:
    """A value of the starting point, which has none where the spec as written has none."""
    return NOTHING if value is None else value_text(value)


def value_text(value: Any) -> str:
    """A searched value in four digits; 1, 1.0, "1" and true are four different texts."""
    if isinstance(value, float):
        digits = f"{value:.4g}"
        return f"{digits}.0" if value.is_integer() and "e" not in digits else digits
    return choice_label(value)
