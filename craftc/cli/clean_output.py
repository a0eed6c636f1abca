"""What a runs folder holds, and what of it is removed, as text."""

import sys
from collections import Counter

import click

from craftc.cli.show_diagnostics import count
from craftc.runtime.cleaning.disk_usage import size_text
from craftc.schemas.store_contents import Cleaning, Contents, TrialTotals

MOST_LINES = 30
NOUNS = {
    "leftover": "leftover",
    "run": "run",
    "trial": "trial",
    "last-checkpoint": "last checkpoint",
    "all-checkpoints": "trial's checkpoints",
    "prepared": "prepared data set",
    "compiled": "folder of compiled steps and measurements",
}


def print_planned(cleaning: Cleaning) -> None:
    """What is to go, line by line."""
    for removal in cleaning.planned[:MOST_LINES]:
        what = {"last-checkpoint": " (last)", "all-checkpoints": " (all)"}.get(removal.kind, "")
        click.echo(f"{size_text(removal.size):>10}  {_printable(removal.path)}{what}")
    if len(cleaning.planned) > MOST_LINES:
        click.echo(f"{'':>10}  and {len(cleaning.planned) - MOST_LINES} more; --format json lists them all")


def describe_planned(cleaning: Cleaning) -> str:
    """`3 trials, 1 run; 1.2 MiB`."""
    return f"{_kinds([removal.kind for removal in cleaning.planned])}; {size_text(cleaning.freed)}"


def describe_removed(cleaning: Cleaning) -> str:
    """`3 trials, 1 run`, or what stayed of them."""
    return _kinds([removal.kind for removal in cleaning.removed]) or "nothing"


def _kinds(kinds: list[str]) -> str:
    numbers = Counter(kinds)
    return ", ".join(_count(numbers[kind], kind) for kind in NOUNS if numbers[kind])


def _count(number: int, kind: str) -> str:
    if kind == "all-checkpoints":
        return f"the checkpoints of {count(number, 'trial')}"
    return count(number, NOUNS[kind])


def print_contents(cleaning: Cleaning) -> None:
    """A table of the experiments, and what else there is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    contents = cleaning.contents
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("experiment", overflow="fold")
    for column in ("runs", "files", "trials", "files", "checkpoints"):
        table.add_column(column, justify="right", no_wrap=column != "trials")
    for each in contents.experiments:
        running = f" ({each.num_running} running)" if each.num_running else ""
        table.add_row(
            Text(_printable(each.name)), f"{each.num_runs}{running}", size_text(each.runs_size), *_cells(each.trials)
        )
    table.add_row(Text("orphaned"), "", "", *_cells(contents.orphaned_trials))
    runs = sum(each.num_runs for each in contents.experiments)
    runs_size = sum(each.runs_size for each in contents.experiments)
    table.add_row("in all", str(runs), size_text(runs_size), *_cells(contents.trials))
    console = Console(file=sys.stdout, highlight=False, markup=False)
    console.print(table)
    for line in _remarks(cleaning.runs_dir, contents):
        console.print(line, soft_wrap=True)


def _cells(totals: TrialTotals) -> tuple[str, ...]:
    states = ("finished", "failed", "pruned", "unfinished")
    trials = ", ".join(f"{number} {state}" for state in states if (number := getattr(totals, state)))
    return trials or "none", size_text(totals.size), size_text(totals.checkpoints_size)


def _remarks(runs_dir: str, contents: Contents) -> list[str]:
    lines = [f"\n{_printable(runs_dir)}: {size_text(contents.size)}"]
    if contents.prepared:
        lines.append(f"prepared data: {contents.prepared}, {size_text(contents.prepared_size)}")
    if contents.compiled_size:
        lines.append(f"compiled steps and measurements: {size_text(contents.compiled_size)}")
    if contents.orphaned:
        them = f"{count(len(contents.orphaned), 'trial')}, {size_text(contents.orphaned_trials.size)}"
        lines.append(f"named by no run any more: {them}; craftc clean --orphaned removes them")
    if contents.leftovers_size:
        lines.append(f"left by an interrupted removal: {size_text(contents.leftovers_size)}; the next one takes it")
    return lines


def _printable(text: str) -> str:
    """Nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
