"""The variants that two runs have in common in; the table of their means and differences out."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from craftc.report.cells import NOTHING, stars
from craftc.report.numbers import bracketed, decimals_for, fixed
from craftc.schemas.comparison import ConclusionChange, RowChange
from craftc.schemas.conclusion import Difference, Estimate

NARROW = 100
"""Below that many cells, intervals are left to the JSON form but for that of the difference."""


def conclusion_table(change: ConclusionChange, rows: Sequence[RowChange], width: int) -> Table:
    """A row for each variant: A's mean, B's mean, the difference seed by seed, and the verdict of either run."""
    values = [value for row in change.rows for value in (row.a, row.b) if value]
    baselines = [value for row in change.rows if row.name == change.baseline_b for value in (row.a, row.b) if value]
    intervals = [row.difference.interval for row in change.rows if row.difference and row.difference.interval]
    decimals = decimals_for(baselines, values, intervals)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for index, header in enumerate(("variant", "A", "B", "B - A", "verdict in A", "verdict in B")):
        table.add_column(Text(header), overflow="fold", no_wrap=index != 0)
    for row in rows:
        name = row.name if row.name_a is None else f"{row.name} (A: {row.name_a})"
        style = "" if row.difference is None else {"better": "green", "worse": "red"}.get(row.difference.verdict, "")
        difference = Text(_difference(row, decimals, change.num_comparisons), style=style)
        cells = [_estimate(row.a, decimals, width), _estimate(row.b, decimals, width)]
        verdicts = [
            "baseline" if is_baseline else verdict or NOTHING
            for is_baseline, verdict in (
                ((row.name_a or row.name) == change.baseline_a, row.verdict_a),
                (row.name == change.baseline_b, row.verdict_b),
            )
        ]
        moved = "yellow" if verdicts[0] != verdicts[1] else "dim"
        table.add_row(Text(name), *map(Text, cells), difference, *(Text(verdict, style=moved) for verdict in verdicts))
    return table


def _estimate(value: Estimate | None, decimals: int, width: int) -> str:
    if value is None:
        return NOTHING
    mean = fixed(value.mean, decimals)
    return f"{mean} {bracketed(value.interval, decimals)}" if value.interval and width >= NARROW else mean


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
    mark = stars(difference, num_comparisons)
    return f"{mean} {bracketed(difference.interval, decimals, sign=True)}{f' {mark}' if mark else ''}"
