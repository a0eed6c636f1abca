"""craftc plan: what would run, without running it."""

import json
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from craftc.cli.compile_file import analyse_file, compile_file
from craftc.cli.show_diagnostics import count
from craftc.schemas.plan import Plan, SearchPlan, Trial

if TYPE_CHECKING:
    from rich.table import Table


MAX_SHOWN = 100
"""Variants that a table shows without --all: the first of them, and the last few."""
SHOWN_LAST = 5


class Format(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    JSON = "json"


def plan(
    spec: Annotated[Path, typer.Argument(help="The experiment.", show_default=False)],
    format: Annotated[Format, typer.Option(help="How the plan is written.")] = Format.TABLE,
    runs_dir: Annotated[Path, typer.Option(help="Where results are kept.")] = Path("runs"),
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show the complete spec instead, with the origin of every value.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every variant, however many there are.")] = False,
) -> None:
    """Show what `craftc run` would train, what it would reuse and what came out the same.

    With --resolved, the spec as YAML (or JSON) with every default and every included file written in, and where each
    value comes from. Saved as a file, it plans to the same trials.

    Example: `craftc plan specs/vit_ablation.yaml`
    """
    if resolved:
        _print_resolved(spec, format)
        return
    compiled = compile_file(spec, runs_dir)
    if format is Format.JSON:
        _print_json(plan_json(compiled.plan))
    else:
        _print_table(compiled.plan, show_all=show_all)


def _print_json(document: dict[str, Any]) -> None:
    """Piece by piece: no one text holds a plan of a hundred thousand trials."""
    for number, (name, value) in enumerate(document.items()):
        sys.stdout.write(f"{',' if number else '{'}\n  {json.dumps(name)}: ")
        if isinstance(value, list) and value:
            for index, item in enumerate(value):
                sys.stdout.write(f"{',' if index else '['}\n    {json.dumps(item)}")
            sys.stdout.write("\n  ]")
        else:
            sys.stdout.write(json.dumps(value))
    sys.stdout.write("\n}\n")


def _print_resolved(path: Path, format: Format) -> None:
    from craftc.compiler.complete import complete
    from craftc.compiler.write_spec import as_json, as_yaml

    _, analysis = analyse_file(path)
    spec = complete(analysis)
    text = json.dumps(as_json(spec), indent=2, ensure_ascii=False) if format is Format.JSON else as_yaml(spec)
    typer.echo(text.rstrip("\n"))


def plan_json(plan: Plan) -> dict[str, Any]:
    """The contract of `craftc plan --format json`."""
    shown = {"id", "variant", "aliases", "seed", "overrides", "status", "job", "stages", "shares"}
    return {
        "format_version": plan.format_version,
        "name": plan.name,
        "trials": [trial.model_dump(mode="json", include=shown) for trial in plan.trials],
        "folded": plan.folded,
        "shared": num_shared(plan),
        "unshared": plan.unshared,
        "jobs": [job.model_dump(mode="json") for job in plan.jobs],
        "search": None if plan.search is None else plan.search.model_dump(mode="json"),
        "estimate": {"new_trials": len(_new(plan)) + num_searched(plan), "epochs": _num_epochs(plan)},
    }


def _new(plan: Plan) -> list[Trial]:
    return [trial for trial in plan.trials if trial.status == "new"]


def _num_epochs(plan: Plan) -> int:
    """The most epochs that the new trials can take, as far as the search leaves their number alone; those of a shared
    training once. Early stopping and pruning may end them sooner."""
    return sum(trial.epochs for trial in _new(plan) if trial.shares is None) + sum(
        plan.search.trials * trial.epochs
        for trial in plan.trials
        if plan.search and trial.variant in plan.search.variants
    )


def num_searched(plan: Plan) -> int:
    """The trials that the search will propose, those that the store holds already included."""
    if plan.search is None:
        return 0
    return plan.search.trials * sum(trial.variant in plan.search.variants for trial in plan.trials)


def num_shared(plan: Plan) -> int:
    """The new trials that are read off another's training."""
    return sum(trial.shares is not None for trial in plan.trials)


def describe(plan: Plan) -> str:
    """The plan in one line."""
    num_new = len(_new(plan))
    parts = [f"{num_new} new", f"{len(plan.trials) - num_new} reused"]
    if shared := num_shared(plan):
        parts.insert(1, f"{shared} of them shared")
    if plan.folded:
        parts.append(f"{plan.folded} folded into them")
    is_work = num_new or plan.search is not None
    work = f"; {count(len(plan.jobs), 'job')}, at most {count(_num_epochs(plan), 'epoch')}" if is_work else ""
    return f"{count(len(plan.trials), 'trial')}: {', '.join(parts)}{_describe_search(plan)}{work}"


def _describe_search(plan: Plan) -> str:
    if plan.search is None:
        return ""
    studies = len(plan.search.variants)
    each = f" for each of {studies} variants" if studies > 1 else ""
    return f"; a search of {count(plan.search.trials, 'point')}{each}"


def _print_table(plan: Plan, *, show_all: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=plan.name, title_justify="left")
    for column in ("variant", "sets", "seeds", "status"):
        table.add_column(column, overflow="fold")
    groups: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        groups.setdefault(trial.variant, []).append(trial)
    hidden = range(MAX_SHOWN - SHOWN_LAST, len(groups) - SHOWN_LAST)
    hidden = range(0) if show_all or len(groups) <= MAX_SHOWN else hidden
    for index, (variant, trials) in enumerate(groups.items()):
        if hidden and index == hidden.start:
            table.add_row("...", f"{len(hidden):,} more variants; --all shows them", "", "")
        if index in hidden:
            continue
        aliases = dict.fromkeys(alias for trial in trials for alias in trial.aliases)
        sets = ", ".join(f"{path}: {json.dumps(value)}" for path, value in trials[0].overrides.items())
        table.add_row(
            variant + "".join(f"\n= {alias}" for alias in aliases),
            sets or "the spec as written",
            ", ".join(str(trial.seed) for trial in trials),
            _status(trials, plan),
        )
    console = Console(file=sys.stdout, highlight=False, markup=False)
    console.print(table)
    if plan.search is not None:
        console.print(_search_table(plan, plan.search))
    typer.echo(describe(plan))
    if plan.unshared:
        typer.echo(plan.unshared)


def _search_table(plan: Plan, search: SearchPlan) -> "Table":
    from rich import box
    from rich.table import Table

    goal = "lowest" if search.mode == "min" else "highest"
    how = f"sampler {_component(search.sampler)}, pruner {_component(search.pruner)}"
    title = f"search for the {goal} {search.metric}: {how}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in ("searched", "range", "starts at"):
        table.add_column(column, overflow="fold")
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


def _status(trials: list[Trial], plan: Plan) -> str:
    """What becomes of a variant's trials: each status, with how many have it where there are several."""
    counts = Counter(_status_of(trial, plan) for trial in trials)
    return ", ".join(counts) if len(counts) == 1 else ", ".join(f"{number} {name}" for name, number in counts.items())


def _status_of(trial: Trial, plan: Plan) -> str:
    return trial.status if trial.shares is None else f"shared with {plan.trial(trial.shares).variant}"
