"""Writes all metrics of a run as text and as Markdown."""

import io
from collections.abc import Iterator

from rich.console import Console

from craftc.report.metric_table_cells import metric_cells
from craftc.report.render_markdown import markdown_table
from craftc.report.render_text import plain_table
from craftc.report.search_cells import Cells
from craftc.schemas.conclusion import MetricTable

GAP = 2
"""Blanks between columns."""
NOTES = (
    "Means over seeds at the best epoch, ±: half of the 95% Student-t interval.",
    "Nothing is compared here: among so many numbers some differ by chance. report --metric NAME compares by one.",
)


def metrics_as_text(table: MetricTable, width: int) -> str:
    """A table for each split and one of costs; wider than `width` where numbers need it."""
    whole = [part for cells in metric_cells(table) for part in _parts(cells, width)]
    tables = [(cells.title, plain_table(cells)) for cells in whole]
    console = Console(file=io.StringIO(), width=width, height=25, highlight=False, markup=False, emoji=False)
    needed = max([width, *(console.measure(each).maximum for _, each in tables)])
    console = Console(file=io.StringIO(), width=needed, height=25, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(table.name)
        for title, each in tables:
            console.print()
            console.print(title)
            console.print(each)
        console.print()
        for note in NOTES:
            console.print(note)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n"))


def _parts(cells: Cells, width: int) -> Iterator[Cells]:
    """A table with no more columns than fit beside the first, and others with the rest."""
    widths = [max(map(len, column)) + GAP for column in zip(cells.header, *cells.rows, strict=True)]
    start = 1
    while start < len(widths):
        end = start + 1
        while end < len(widths) and widths[0] + sum(widths[start : end + 1]) <= width:
            end += 1
        chosen = (0, *range(start, end))
        header, *rows = (tuple(row[place] for place in chosen) for row in (cells.header, *cells.rows))
        yield Cells(cells.title if start == 1 else f"{cells.title}, further", header, tuple(rows))
        start = end


def metrics_as_markdown(table: MetricTable) -> str:
    """The same, with headings."""
    lines = [f"## {table.name}"]
    for cells in metric_cells(table):
        lines += ["", *markdown_table(cells)]
    return "\n".join([*lines, "", *(f"{note}  " for note in NOTES)])
