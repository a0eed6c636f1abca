"""Prints what was checked as a table: one line for each variant."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from craftc.cli.check_view.rows import Row

_COLUMNS = ("parameters", "FLOPs/sample", "ms/step", "memory/step")


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Figures of a variant that is like one above are those of that one, which is named. Programs have none."""
    columns = _COLUMNS if any(row.num_parameters is not None for row in rows) else ()
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("variant", overflow="fold", min_width=16)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        alike = f"as {row.checked_as}" if row.checked_as != row.variant else ""
        removed = f"{row.num_removed:,} removed" if row.num_removed else ""
        note = "failed" if not row.ok else ", ".join(filter(None, [removed, alike])) if columns else "ready"
        table.add_row(Text(row.variant), *_figures(row)[: len(columns)], Text(note))
    console.print(table)
    if sizes := {row.variant: row.micro_batch for row in rows if row.micro_batch is not None}:
        found = sorted(set(sizes.values()))
        each = f"{found[0]:,}" if len(found) == 1 else ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        console.print(Text(f"samples of a batch at a time (micro_batch): {each}"))


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
