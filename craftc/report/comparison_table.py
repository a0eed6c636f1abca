"""Builds the table of means and differences of the variants that two runs have in common."""

import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from craftc.report.cells import NOTHING, stars
from craftc.report.fold_name import fold_name
from craftc.report.numbers import bracketed, decimals_for, fixed
from craftc.schemas.comparison import ConclusionChange, RowChange
from craftc.schemas.conclusion import Difference, Estimate

NARROWEST_NAME = 14
UNBOUNDED = 10_000


def conclusion_table(change: ConclusionChange, rows: Sequence[RowChange], width: int) -> tuple[Table, int]:
    """A row for each variant: A's mean, B's mean, the difference seed by seed, and the verdict of either run.

    And how wide it is: names fold and the intervals of means are left out before it is wider than `width`.
    """
    names = [row.name if row.name_a is None else f"{row.name} (A: {row.name_a})" for row in rows]
    natural = max(cell_len(name) for name in (*names, "variant"))
    for with_intervals, least in ((True, min(natural, 2 * NARROWEST_NAME)), (False, min(natural, NARROWEST_NAME))):
        table = _table(change, rows, names, with_intervals)
        excess = max(0, _width(table) - width)
        if natural - excess >= least:
            break
    folded = [fold_name(name, max(least, natural - excess)) for name in names]
    table = _table(change, rows, folded, with_intervals)
    return table, _width(table)


def _width(table: Table) -> int:
    console = Console(width=UNBOUNDED, height=25, file=io.StringIO())
    return Measurement.get(console, console.options, table).maximum


def _table(change: ConclusionChange, rows: Sequence[RowChange], names: Sequence[str], with_intervals: bool) -> Table:
    decimals = _decimals(change)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("variant", "A", "B", "B - A", "in A", "in B"):
        table.add_column(Text(header), no_wrap=True, vertical="top")
    for row, name in zip(rows, names, strict=True):
        style = "" if row.difference is None else {"better": "green", "worse": "red"}.get(row.difference.verdict, "")
        in_a = "baseline" if (row.name_a or row.name) == change.baseline_a else row.verdict_a or NOTHING
        in_b = "baseline" if row.name == change.baseline_b else row.verdict_b or NOTHING
        moved = "yellow" if in_a != in_b else "dim"
        table.add_row(
            Text(name),
            *(Text(_estimate(value, decimals, with_intervals)) for value in (row.a, row.b)),
            Text(_difference(row, decimals, change.num_comparisons), style=style),
            *(Text(verdict, style=moved) for verdict in (in_a, in_b)),
        )
    return table


def _decimals(change: ConclusionChange) -> int:
    values = [value for row in change.rows for value in (row.a, row.b) if value]
    baselines = [value for row in change.rows if row.name == change.baseline_b for value in (row.a, row.b) if value]
    intervals = [row.difference.interval for row in change.rows if row.difference and row.difference.interval]
    return decimals_for(baselines, values, intervals)


def _estimate(value: Estimate | None, decimals: int, with_interval: bool) -> str:
    if value is None:
        return NOTHING
    mean = fixed(value.mean, decimals)
    return f"{mean} {bracketed(value.interval, decimals)}" if value.interval and with_interval else mean


def _difference(row: RowChange, decimals: int, num_comparisons: int) -> str:
    if not row.comparable:
        return "not comparable"
    if row.same_trials:
        return "same trials"
    if row.difference is None:
        return NOTHING
    return _with_interval(row.difference, decimals, num_comparisons)


def _with_interval(difference: Difference, decimals: int, num_comparisons: int) -> str:
    mean = fixed(difference.mean, decimals, sign=True)
    if difference.interval is None:
        return f"{mean} (one seed)"
    mark = stars(difference, is_corrected=num_comparisons > 1)
    return f"{mean} {bracketed(difference.interval, decimals, sign=True)}{f' {mark}' if mark else ''}"
