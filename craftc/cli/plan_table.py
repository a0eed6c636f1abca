"""A plan and its outlook in; a table on a console out."""

import json
from typing import TYPE_CHECKING, Any

from craftc.cli.outlook import Outlook
from craftc.cli.plan_rows import Mark, grouped, names_text, plan_rows, seeds_text
from craftc.schemas.plan import Plan, SearchPlan

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLOURS: dict[Mark, str] = {"+": "green", ">": "yellow", "&": "green", "=": "dim", "~": "cyan", "-": "red"}


def print_plan(plan: Plan, outlook: Outlook, console: "Console", *, every_variant: bool) -> None:
    """The variants, those of a large plan grouped unless `every_variant`, and what is searched."""
    from rich.text import Text

    table = _table(plan.name, ("", "variant", "sets", "seeds", "trials"))
    rows = plan_rows(plan, outlook)
    for row in rows if every_variant else grouped(rows):
        cells = (row.mark, names_text(row), row.sets, seeds_text(row), row.fate)
        style = COLOURS[row.mark]
        coloured = (Text(cell, style=style if row.mark in "=" or i in (0, 4) else "") for i, cell in enumerate(cells))
        table.add_row(*coloured)
    console.print(table)
    if plan.search is not None:
        console.print(_search_table(plan, plan.search))


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
