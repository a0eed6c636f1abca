"""craftc plan: what would run, without running it."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from craftc.cli.compile_file import compile_file
from craftc.cli.show_diagnostics import count
from craftc.schemas.plan import Plan, Trial


class Format(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    JSON = "json"


def plan(
    spec: Annotated[Path, typer.Argument(help="The experiment.", show_default=False)],
    format: Annotated[Format, typer.Option(help="How the plan is written.")] = Format.TABLE,
    runs_dir: Annotated[Path, typer.Option(help="Where results are kept.")] = Path("runs"),
) -> None:
    """Show what `craftc run` would train, what it would reuse and what came out the same.

    Example: `craftc plan specs/vit_ablation.yaml`
    """
    compiled = compile_file(spec, runs_dir)
    if format is Format.JSON:
        typer.echo(json.dumps(plan_json(compiled.plan), indent=2))
    else:
        _print_table(compiled.plan)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The contract of `craftc plan --format json`."""
    shown = {"id", "variant", "aliases", "seed", "overrides", "status", "job"}
    return {
        "format_version": plan.format_version,
        "name": plan.name,
        "trials": [trial.model_dump(mode="json", include=shown) for trial in plan.trials],
        "folded": plan.folded,
        "jobs": [job.model_dump(mode="json") for job in plan.jobs],
        "search": None,
        "estimate": {"new_trials": len(_new(plan)), "epochs": _num_epochs(plan)},
    }


def _new(plan: Plan) -> list[Trial]:
    return [trial for trial in plan.trials if trial.status == "new"]


def _num_epochs(plan: Plan) -> int:
    """The most epochs that the new trials can take; early stopping may end them sooner."""
    return sum(int(trial.config["training"]["epochs"]) for trial in _new(plan))


def describe(plan: Plan) -> str:
    """The plan in one line."""
    num_new = len(_new(plan))
    parts = [f"{num_new} new", f"{len(plan.trials) - num_new} reused"]
    if plan.folded:
        parts.append(f"{plan.folded} folded into them")
    work = f"; {count(len(plan.jobs), 'job')}, at most {count(_num_epochs(plan), 'epoch')}" if num_new else ""
    return f"{count(len(plan.trials), 'trial')}: {', '.join(parts)}{work}"


def _print_table(plan: Plan) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=plan.name, title_justify="left")
    for column in ("variant", "sets", "seeds", "status"):
        table.add_column(column, overflow="fold")
    groups: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        groups.setdefault(trial.variant, []).append(trial)
    for variant, trials in groups.items():
        aliases = dict.fromkeys(alias for trial in trials for alias in trial.aliases)
        sets = ", ".join(f"{path}: {json.dumps(value)}" for path, value in trials[0].overrides.items())
        table.add_row(
            variant + "".join(f"\n= {alias}" for alias in aliases),
            sets or "the spec as written",
            ", ".join(str(trial.seed) for trial in trials),
            _status(trials),
        )
    console = Console(file=sys.stdout, highlight=False, markup=False)
    console.print(table)
    typer.echo(describe(plan))


def _status(trials: list[Trial]) -> str:
    num_new = sum(trial.status == "new" for trial in trials)
    if num_new in (0, len(trials)):
        return "new" if num_new else "reused"
    return f"{num_new} new, {len(trials) - num_new} reused"
