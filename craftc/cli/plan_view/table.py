"""A plan as a table on the console."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from craftc.cli.plan_view.outlook import Outlook
from craftc.cli.plan_view.rows import Mark, grouped, names_text, plan_rows, seeds_text
from craftc.schemas.plan import Plan, SearchPlan

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Cells = tuple[str, str, str, str, str]
_HEADER: Cells = ("", "variant", "sets", "seeds", "trials")
_FRAME = 2 + 2 * len(_HEADER) + len(_HEADER) - 1
"""What of a row is no cell: the edges, a blank on both sides of each cell, and one between two."""
NARROWEST = 14
WIDEST_FATE = 30
COLOURS: dict[Mark, str] = {
    "+": "green",
    ">": "yellow",
    "&": "green",
    "<": "green",
    "=": "dim",
    "~": "cyan",
    "-": "red",
}


def print_plan(plan: Plan, outlook: Outlook, console: "Console", *, every_variant: bool) -> None:
    """The variants, those of a large plan grouped unless `every_variant`, and what is searched."""
    from rich.text import Text

    table = _table(plan.name, _HEADER)
    rows = plan_rows(plan, outlook)
    shown = rows if every_variant else grouped(rows)
    texts = [(row.mark, names_text(row), row.sets, seeds_text(row), row.fate) for row in shown]
    for row, cells in zip(shown, _folded(texts, console.width), strict=True):
        style = COLOURS[row.mark]
        coloured = (Text(cell, style=style if row.mark in "=" or i in (0, 4) else "") for i, cell in enumerate(cells))
        table.add_row(*coloured)
    console.print(table)
    if plan.search is not None:
        console.print(_search_table(plan, plan.search))


def _folded(rows: Sequence[Cells], width: int) -> Iterator[Cells]:
    """The cells with names and settings broken where they read well, as far as a table of that width needs it."""
    from craftc.report.fold_name import fold_name

    def in_lines(text: str, cells: int) -> str:
        return "\n".join(fold_name(line, cells) for line in text.split("\n"))

    widest = (max(_width(row[column]) for row in (_HEADER, *rows)) for column in range(len(_HEADER)))
    mark, names, sets, seeds, fate = widest
    rest = max(width - (mark + seeds + min(fate, WIDEST_FATE)) - _FRAME, 2 * NARROWEST)
    if names + sets > rest:
        names = min(names, max(rest // 2, rest - sets))
        sets = rest - names
    for row in rows:
        yield row[0], in_lines(row[1], names), in_lines(row[2], sets), row[3], row[4]


def _width(text: str) -> int:
    """Of the longest line, in cells of a terminal."""
    from rich.cells import cell_len

    return max(map(cell_len, text.split("\n")))


def _table(title: str, columns: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _search_table(plan: Plan, search: SearchPlan) -> "Table":
    goal = "lowest" if search.mode == "min" else "highest"
    how = f"sampler {_component(search.sampler)}, pruner {_component(search.pruner)}"
    table = _table(f"search for the {goal} {search.metric}: {how}", ("searched", "range", "starts at"))
    for path, given in search.space.items():
        table.add_row(
            path, ", ".join(f"{form} {json.dumps(values)}" for form, values in given.items()), _start(plan, path)
        )
    return table


def _component(component: dict[str, Any]) -> str:
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in component.items() if name != "kind")
    return f"{component['kind']}({arguments})" if arguments else str(component["kind"])


def _start(plan: Plan, path: str) -> str:
    return "-" if plan.factors[path] is None else json.dumps(plan.factors[path])
