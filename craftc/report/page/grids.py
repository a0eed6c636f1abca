"""Shows grids of two factors as tables whose cells are shaded by their value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from xml.etree.ElementTree import Element

from craftc.compiler.variants.variant_names import short_names
from craftc.report.numbers import choose_decimals, fixed
from craftc.report.page.axis import minus
from craftc.report.page.content import PageContent
from craftc.report.page.figure import scrolling, section
from craftc.report.page.tree import element
from craftc.report.search_cells import value_text
from craftc.schemas.conclusion import VariantSummary
from craftc.schemas.plan import Plan, variant_trials

MOST_FACTORS = 8
MOST_TABLES = 6
MOST_SIDE = 16
"""Values of a factor, in rows or columns."""
DARKEST = 45
"""Percent of colour in the best cell, on which text of the usual colour can still be read."""


@dataclass(frozen=True)
class Grid:
    """Every value of one factor with every value of another, all other factors the same: `others`, path to value.
    `cells` are in the order of rows and columns."""

    paths: tuple[str, str]
    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    cells: tuple[tuple[VariantSummary, ...], ...]
    others: Mapping[str, Any]


def grids(content: PageContent) -> Element | None:
    """None where no two factors were crossed."""
    conclusion = content.conclusion
    found = find_grids(content.plan, conclusion.variants)
    if not found:
        return None
    shown = found[:MOST_TABLES]
    known = [row.value.mean for grid in shown for cells in grid.cells for row in cells if row.value]
    decimals = choose_decimals(conclusion)
    names = short_names({*found[0].paths, *(path for grid in found for path in grid.others)})
    tables = [_table(grid, names, (min(known), max(known)), conclusion.mode, decimals) for grid in shown]
    left_out = f" {len(shown)} of {len(found)} tables are shown." if len(shown) < len(found) else ""
    metric = f"{conclusion.metric.split}/{conclusion.metric.name}"
    note = f"Means of {metric} over seeds; the stronger the colour, the better.{left_out}"
    return section("grids", "Grid", tables, element("p", note, class_="note"))


def find_grids(plan: Plan, rows: Sequence[VariantSummary]) -> list[Grid]:
    """The pair of factors with the most values that are all crossed, once for each setting of the others."""
    trials = variant_trials(plan)
    own = [row for row in rows if row.same_as is None and row.value is not None]
    settings = [
        {path: trials[row.name][0].overrides.get(path, plan.factors.get(path)) for path in plan.factors} for row in own
    ]
    varying = [path for path in plan.factors if len({_key(each[path]) for each in settings}) > 1]
    if len(varying) > MOST_FACTORS:
        return []
    candidates = [_grids_of(pair, varying, own, settings) for pair in combinations(varying, 2)]
    return max(
        (each for each in candidates if each), key=lambda each: len(each[0].rows) * len(each[0].columns), default=[]
    )


def _grids_of(
    pair: tuple[str, str], varying: Sequence[str], rows: Sequence[VariantSummary], settings: Sequence[Mapping[str, Any]]
) -> list[Grid]:
    others = [path for path in varying if path not in pair]
    groups: dict[str, dict[tuple[str, str], tuple[VariantSummary, Mapping[str, Any]]]] = {}
    for row, setting in zip(rows, settings, strict=True):
        group = groups.setdefault(_key([setting[path] for path in others]), {})
        group.setdefault((_key(setting[pair[0]]), _key(setting[pair[1]])), (row, setting))
    return [grid for group in groups.values() if (grid := _whole(pair, others, group)) is not None]


def _whole(
    pair: tuple[str, str],
    others: Sequence[str],
    group: Mapping[tuple[str, str], tuple[VariantSummary, Mapping[str, Any]]],
) -> Grid | None:
    """The grid of one setting of the others; None where a side would have one value. Values that are not crossed with
    all others are left out: the spec as written need not be a point of its own grid."""
    kept = _complete(set(group))
    first, second = (
        _ordered({keys[i]: setting[pair[i]] for keys, (_, setting) in group.items() if keys in kept}) for i in (0, 1)
    )
    if not 1 < min(len(first), len(second)) <= max(len(first), len(second)) <= MOST_SIDE:
        return None
    setting = next(iter(group.values()))[1]
    return Grid(
        paths=pair,
        rows=tuple(first.values()),
        columns=tuple(second.values()),
        cells=tuple(tuple(group[a, b][0] for b in second) for a in first),
        others={path: setting[path] for path in others},
    )


def _complete(cells: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Cells that are a whole rectangle: the row or column that lacks most is left out until nothing is missing."""
    while cells:
        sides = [sorted({cell[side] for cell in cells}) for side in (0, 1)]
        if len(cells) == len(sides[0]) * len(sides[1]):
            break
        lacking = [
            (sum(cell[side] == value for cell in cells) - len(sides[1 - side]), side, value)
            for side in (0, 1)
            for value in sides[side]
        ]
        _, side, value = min(lacking)
        cells = {cell for cell in cells if cell[side] != value}
    return cells


def _ordered(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by size, anything else as it came."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values()):
        return dict(sorted(values.items(), key=lambda item: item[1]))
    return dict(values)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _table(grid: Grid, names: Mapping[str, str], ends: tuple[float, float], mode: str, decimals: int) -> Element:
    across, down = names[grid.paths[1]], names[grid.paths[0]]
    where = ", ".join(f"{names[path]}={_text(value)}" for path, value in grid.others.items())
    title = f"{down} by {across}{f', at {where}' if where else ''}"
    corner = element("th", f"{down} \\ {across}", scope="col")
    head = element("tr", corner, [element("th", _text(value), scope="col") for value in grid.columns])
    body = [
        element("tr", element("th", _text(value), scope="row"), [_cell(row, ends, mode, decimals) for row in cells])
        for value, cells in zip(grid.rows, grid.cells, strict=True)
    ]
    caption = element("caption", title)
    return scrolling(title, element("table", caption, element("thead", head), element("tbody", body), class_="heat"))


def _cell(row: VariantSummary, ends: tuple[float, float], mode: str, decimals: int) -> Element:
    assert row.value is not None
    share = (row.value.mean - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0
    share = share if mode == "max" else 1 - share
    return element(
        "td", minus(fixed(row.value.mean, decimals)), style=f"--heat: {share * DARKEST:.0f}%", title=row.name
    )


def _text(value: Any) -> str:
    return "none" if value is None else value_text(value)
