"""Prints what was checked as a table: one line for each variant."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from craftc.cli.check_view.rows import Row

_COLUMNS = ("parameters", "FLOPs/sample", "ms/step", "memory/step")


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Figures of a variant that is like one above are those of that one, which is named."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("variant", overflow="fold", min_width=16)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        alike = f"as {row.checked_as}" if row.checked_as != row.variant else ""
        note = "failed" if not row.ok else alike
        table.add_row(Text(row.variant), *_figures(row), Text(note))
    console.print(table)


def _figures(row: Row) -> list[str]:
    if row.num_parameters is None:
        return ["-"] * len(_COLUMNS)
    ms = "-" if row.seconds_per_step is None else f"{row.seconds_per_step * 1e3:.3g}"
    flops = "-" if row.flops_per_sample is None else scaled(row.flops_per_sample, 1000, ("", " k", " M", " G", " T"))
    memory = "-" if row.memory_bytes is None else scaled(row.memory_bytes, 1024, (" B", " KiB", " MiB", " GiB", " TiB"))
    return [f"{row.num_parameters:,}", flops, ms, memory]


def scaled(number: float, base: int, units: Sequence[str]) -> str:
    """Three digits and the unit: `2.37 k`, `91.4 KiB`."""
    unit = 0
    while round(number) >= base and unit < len(units) - 1:
        number /= base
        unit += 1
    return f"{number:.0f}{units[unit]}" if number >= 100 or unit == 0 else f"{number:.3g}{units[unit]}"
