"""Writes a conclusion as a table and findings, as wide as the terminal."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from craftc.report.artefact_lines import artefact_lines
from craftc.report.cells import COLUMNS, Column, ColumnKey, IntervalStyle, best_rows, columns, shown
from craftc.report.fold_name import fold_name
from craftc.report.numbers import choose_decimals
from craftc.report.search_cells import Cells, search_tables
from craftc.report.verdict_wording import hypothesis_lines
from craftc.report.wording import failure_line, legend, notes, point_failure_lines, title, told
from craftc.schemas.conclusion import Conclusion, VariantSummary

NARROWEST_NAME = 14
WIDEST_WORD = 24  # a longer one may be cut, rather than take the table apart
WIDEST_PROSE = 100
UNBOUNDED = 10_000


@dataclass(frozen=True)
class Layout:
    """Which columns stand side by side in each table."""

    style: IntervalStyle
    tables: tuple[tuple[ColumnKey, ...], ...]


WITHOUT_P: tuple[ColumnKey, ...] = tuple(key for key in COLUMNS if key != "p")
EFFECT: tuple[ColumnKey, ...] = ("variant", "seeds", "value", "difference", "verdict")
COURSE: tuple[ColumnKey, ...] = ("variant", "epochs", "at_last", "gap")
LAYOUTS = (
    Layout("brackets", (COLUMNS,)),
    Layout("half-width", (COLUMNS,)),
    Layout("half-width", (WITHOUT_P,)),
    Layout("brackets", (EFFECT, COURSE)),
    Layout("half-width", (EFFECT, COURSE)),
)
"""Widest first. The first that fits is taken; names fold, numbers never do."""


def print_text(conclusion: Conclusion, console: Console) -> None:
    """Write to the console: in its width, and in its colours if it is a terminal."""
    color = console.color_system if console.is_terminal and not console.no_color else None
    text = render_text(conclusion, console.width, color_system=color)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def render_text(conclusion: Conclusion, width: int, *, color_system: str | None = None) -> str:
    """At most `width` cells wide, unless the numbers alone are wider; lines have no trailing blanks.

    `color_system` is one of rich's ("standard", "256", "truecolor"); None for plain text.
    """
    layout, tables = _fit(conclusion, width)
    needed = max([width, *(_natural_width(table) for table in tables)])
    console = Console(
        file=io.StringIO(),
        width=needed,
        height=25,  # with both given, rich asks neither the terminal nor the environment
        force_terminal=color_system is not None,
        color_system=color_system,  # type: ignore[arg-type]
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        _print(conclusion, layout, tables, console, min(width, WIDEST_PROSE))
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def _print(conclusion: Conclusion, layout: Layout, tables: Sequence[Table], console: Console, prose_width: int) -> None:
    console.print(Text(conclusion.name, style="bold"))
    console.print(Text(title(conclusion)), width=prose_width)
    for table in tables:
        console.print()
        console.print(table)
    for i, line in enumerate((*legend(conclusion, layout.style), *notes(conclusion))):
        if i == 0:
            console.print()
        console.print(Text(line, style="dim"), width=prose_width)
    for cells in search_tables(conclusion):
        console.print()
        console.print(Text(cells.title, style="bold"))
        console.print(plain_table(cells))
    failed = [failure_line(failure, conclusion.record_name) for failure in conclusion.failures]
    points = point_failure_lines(conclusion)
    sections = (
        ("Hypotheses", hypothesis_lines(conclusion), ""),
        ("Findings", told(conclusion.findings), ""),
        ("Failed trials", failed, "red"),
        ("Points without a value", points, "red"),
    )
    for heading, items, color in sections:
        if items:
            console.print()
            console.print(Text(heading, style=f"bold {color}"))
            console.print(_bullets(items), width=prose_width)
    # Not folded: a path is to be copied.
    for number, line in enumerate(artefact_lines(conclusion)):
        if number == 0:
            console.print()
            console.print(Text("Artefacts", style="bold"))
        console.print(Text(f"• {line}"), soft_wrap=True)


def plain_table(cells: Cells) -> Table:
    """A table for the terminal; long names fold, numbers do not."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for index, header in enumerate(cells.header):
        table.add_column(Text(header), justify="right" if index else "left", overflow="fold")
    for row in cells.rows:
        table.add_row(*map(Text, row))
    return table


def _bullets(items: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column()
    grid.add_column(overflow="fold")
    for item in items:
        grid.add_row(Text("•", style="dim"), Text(item))
    return grid


def _fit(conclusion: Conclusion, width: int) -> tuple[Layout, list[Table]]:
    """The widest layout that fits when names are folded, and its tables."""
    decimals = choose_decimals(conclusion)
    visible = shown(conclusion)
    for layout in LAYOUTS:
        keys_of = [[key for key in keys if key in visible] for keys in layout.tables]
        cells = columns(conclusion, decimals, layout.style)
        names = (*cells["variant"].cells, cells["variant"].trivial, cells["variant"].header)
        natural = max(cell_len(name) for name in names)
        longest_word = max(cell_len(word) for name in names for word in re.split(r"(?<=[, ])", name))
        narrowest = min(max(longest_word, NARROWEST_NAME), WIDEST_WORD)
        tables = [_table(conclusion, keys, cells, natural) for keys in keys_of]
        excess = max(_natural_width(table) for table in tables) - width
        if excess <= 0:
            return layout, tables
        if natural - excess >= narrowest or layout is LAYOUTS[-1]:
            name_width = max(NARROWEST_NAME, natural - excess)
            return layout, [_table(conclusion, keys, cells, name_width) for keys in keys_of]
    raise AssertionError("the last layout always fits")


def _natural_width(table: Table) -> int:
    console = Console(width=UNBOUNDED, height=25, file=io.StringIO())
    return Measurement.get(console, console.options, table).maximum


def _table(conclusion: Conclusion, keys: Sequence[ColumnKey], cells: dict[ColumnKey, Column], name_width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for key in keys:
        is_left = key in ("variant", "value", "difference", "verdict")
        table.add_column(
            Text(_folded_header(key, cells[key].header)),
            justify="left" if is_left else "right",
            vertical="top",
            no_wrap=True,
        )
    best = best_rows(conclusion)
    last = len(conclusion.variants) - 1
    for i, row in enumerate(conclusion.variants):
        styled = [_cell(key, cells[key].cells[i], row, i in best, name_width) for key in keys]
        table.add_row(*styled, end_section=i == last)
    if conclusion.trivial is not None and any(cells[key].trivial for key in keys if key != "variant"):
        of_trivial = [(key, cells[key].trivial) for key in keys]
        # Numbers are padded to stand under each other, which is nothing to fold.
        texts = [fold_name(text, name_width) if key == "variant" else text for key, text in of_trivial]
        table.add_row(*(Text(text, style="dim") for text in texts))
    return table


def _folded_header(key: ColumnKey, header: str) -> str:
    """Headers of narrow columns take several lines."""
    if key in ("variant", "seeds", "value", "difference", "verdict"):
        return header
    return header.replace(" - ", "\n-").replace("/", "/\n").replace(" ", "\n")


def _cell(key: ColumnKey, text: str, row: VariantSummary, is_best: bool, name_width: int) -> Text:
    if key == "variant":
        return Text(fold_name(text, name_width), style="bold" if row.is_baseline else "")
    if key == "value":
        # The interval recedes behind the mean.
        cut = next((i for i, c in enumerate(text) if c in "[±"), len(text))
        return Text.assemble((text[:cut], "bold green" if is_best else ""), (text[cut:], "dim"))
    if key == "difference" and row.difference is not None and row.difference.verdict in ("better", "worse"):
        return Text(text, style="red" if row.difference.verdict == "worse" else "green")
    if key == "verdict":
        return Text(text, style={"worse": "red", "better": "green"}.get(text, ""))
    return Text(text, style="dim")
