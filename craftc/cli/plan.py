"""craftc plan: what would run, without running it."""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from craftc.cli.inputs.compile_file import CompiledFile, analyse_file, compile_file, fail
from craftc.cli.inputs.machine import this_machine
from craftc.cli.parameters import PATH, OneOf, command, option, runs_dir
from craftc.cli.show_diagnostics import count, show_diagnostics
from craftc.schemas.plan import Plan, Trial

if TYPE_CHECKING:
    from craftc.cli.plan_view.data import DataView
    from craftc.cli.plan_view.outlook import Outlook

IS_WORK = 2


class Format(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    JSON = "json"


@command()
@click.argument("spec", type=PATH, help="The experiment.")
@option("--format", type=OneOf(Format), default="table", help="How the plan is written.")
@runs_dir
@option("--resolved", is_flag=True, help="Show the complete spec instead, with the origin of every value.")
@option("--all", is_flag=True, help="Show every variant of a large plan.")
@option("--detailed-exitcode", is_flag=True, help="Exit 0: nothing to train, 1: mistakes, 2: trials to train.")
def plan(spec: Path, format: Format, runs_dir: Path, resolved: bool, all: bool, detailed_exitcode: bool) -> None:
    """Show what `craftc run` would train, what it would reuse, and how long that takes.

    + new, > goes on from its last epoch, & read off the training of another, < measured with the weights of a finished
    trial, = finished before, ~ another name of the same, - of the last run, and replaced or no longer in the spec.

    With --resolved, the spec as YAML (or JSON) with every default and every included file written in, and where each
    value comes from. Saved as a file, it plans to the same trials.

    Example: `craftc plan specs/vit_ablation.yaml`
    """
    if resolved:
        _print_resolved(spec, format)
        return
    from craftc.cli.plan_view.outlook import look_out

    file = compile_file(spec, runs_dir, machine=this_machine(), runs_here=False)
    views = _look_at_data(spec, file)
    compiled = file.plan
    outlook = look_out(compiled, runs_dir)
    if format is Format.JSON:
        _print_json(plan_json(compiled, outlook, views))
    else:
        _print_text(compiled, outlook, views, every_variant=all)
    if detailed_exitcode and (any(trial.is_trained for trial in _new(compiled)) or compiled.search is not None):
        raise Exit(IS_WORK)


def _look_at_data(path: Path, file: CompiledFile) -> "list[DataView]":
    """What the files of the data show; end with 1 where that contradicts the spec."""
    from craftc.cli.plan_view.data import data_views

    views, found = data_views(file.analysis, str(path.parent))
    texts = {str(path): file.text, **file.analysis.fragments}
    if any(each.severity == "error" for each in found):
        fail(found, texts)
    show_diagnostics(found, texts, sys.stderr)
    return views


def _print_text(plan: Plan, outlook: "Outlook", views: "list[DataView]", *, every_variant: bool) -> None:
    from rich.console import Console

    from craftc.cli.plan_view.batches import group_lines
    from craftc.cli.plan_view.data import data_lines
    from craftc.cli.plan_view.estimate import estimate_lines
    from craftc.cli.plan_view.power import power_lines
    from craftc.cli.plan_view.table import print_plan

    console = Console(file=sys.stdout, highlight=False, markup=False)
    print_plan(plan, outlook, console, every_variant=every_variant)
    click.echo(describe(plan, outlook.done, len(outlook.orphaned)))
    unshared = [plan.unshared] if plan.unshared else []
    about_trials = data_lines(views) + unshared + group_lines(outlook.groups)
    for line in about_trials + estimate_lines(outlook.forecast) + power_lines(outlook.power):
        click.echo(line)


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
    from craftc.compiler.resolved.resolved_spec import resolved_spec

    _, analysis = analyse_file(path)
    spec = resolved_spec(analysis)
    if format is Format.JSON:
        from craftc.compiler.resolved.write_json import as_json

        click.echo(json.dumps(as_json(spec), indent=2, ensure_ascii=False))
    else:
        from craftc.compiler.resolved.write_yaml import as_yaml

        click.echo(as_yaml(spec).rstrip("\n"))


def plan_json(
    plan: Plan, outlook: "Outlook | None" = None, views: "Sequence[DataView] | None" = None
) -> dict[str, Any]:
    """The contract of `craftc plan --format json`; without an outlook, what the spec alone decides."""
    shown = {"id", "variant", "aliases", "seed", "overrides", "status", "job", "stages", "shares", "read_off", "group"}
    estimate: dict[str, Any] = {
        "new_trials": len(_new(plan)) + num_searched(plan),
        "epochs": _num_epochs(plan, outlook.done if outlook else {}),
    }
    known: dict[str, Any] = {} if views is None else {"data": [view.as_json() for view in views]}
    if outlook is not None:
        known |= {
            "unfinished": dict(outlook.done),
            "orphaned": [{"id": each.id, "variant": each.variant, "seed": each.seed} for each in outlook.orphaned],
            "replaced": dict(outlook.replaced),
            "groups": [group.as_json() for group in outlook.groups],
            "power": outlook.power and outlook.power.as_json(),
        }
        estimate |= outlook.forecast.model_dump(mode="json")
        estimate["exceeds_budget"] = outlook.forecast.exceeds_budget
    return {
        "format_version": plan.format_version,
        "name": plan.name,
        "trials": [trial.model_dump(mode="json", include=shown) for trial in plan.trials],
        "folded": plan.folded,
        "shared": num_shared(plan),
        "read_off": num_read_off(plan),
        "unshared": plan.unshared,
        **known,
        "jobs": [job.model_dump(mode="json") for job in plan.jobs],
        "search": None if plan.search is None else plan.search.model_dump(mode="json"),
        "estimate": estimate,
    }


def _new(plan: Plan) -> list[Trial]:
    return [trial for trial in plan.trials if trial.status == "new"]


def _num_epochs(plan: Plan, done: Mapping[str, int]) -> int | None:
    """The most epochs that the new trials can still take, as far as the search leaves their number alone; those of a
    shared training once. Early stopping and pruning may end them sooner. None where that of a trial is not known."""
    trained = [trial for trial in _new(plan) if trial.is_trained]
    searched = [trial for trial in plan.trials if plan.search and trial.variant in plan.search.variants]
    if any(trial.epochs is None for trial in (*trained, *searched)):
        return None
    left = (max(0, (trial.epochs or 0) - done.get(trial.id, 0)) for trial in trained)
    num_points = plan.search.trials if plan.search else 0
    return sum(left) + sum(num_points * (trial.epochs or 0) for trial in searched)


def num_searched(plan: Plan) -> int:
    """The trials that the search will propose, those that the store holds already included."""
    if plan.search is None:
        return 0
    return plan.search.trials * sum(trial.variant in plan.search.variants for trial in plan.trials)


def num_shared(plan: Plan) -> int:
    """The new trials that are read off another's training."""
    return sum(trial.shares is not None for trial in plan.trials)


def num_read_off(plan: Plan) -> int:
    """The new trials that are measured with the weights of a finished one."""
    return sum(trial.read_off is not None for trial in plan.trials)


def describe(plan: Plan, done: Mapping[str, int], num_orphaned: int = 0) -> str:
    """The plan in one line; `done` are the epochs that unfinished trials have behind them."""
    new = _new(plan)
    parts = [f"{len(new):,} new"]
    if done:
        parts.append(f"{len(done):,} of them begun before")
    if shared := num_shared(plan):
        parts.append(f"{shared:,} of them shared")
    if num := num_read_off(plan):
        parts.append(f"{num:,} of them read off finished trials")
    parts.append(f"{len(plan.trials) - len(new):,} reused")
    if plan.folded:
        parts.append(f"{plan.folded:,} folded into them")
    if num_orphaned:
        parts.append(f"{num_orphaned:,} orphaned")
    is_work = new or plan.search is not None
    num_epochs = _num_epochs(plan, done)
    length = "of unknown length" if num_epochs is None else f"at most {count(num_epochs, 'epoch')}"
    work = f"; {count(len(plan.jobs), 'job')}, {length}" if is_work else ""
    work += _describe_looks(plan, new)
    return f"{count(len(plan.trials), 'trial')}: {', '.join(parts)}{_describe_search(plan)}{work}"


def _describe_looks(plan: Plan, new: Sequence[Trial]) -> str:
    """How many of the new trials are trained whatever comes of them."""
    looks = plan.analysis_plan.looks
    num_later = sum(plan.look_of(trial) > 0 for trial in new)
    if not num_later:
        return ""
    first = f"{len(new) - num_later:,} of them at first, for {looks[0]} seeds"
    after = f"{', '.join(map(str, looks[:-1]))} seeds" if len(looks) > 1 else ""
    return f"; {first}, the others only for variants that are undecided after {after}"


def _describe_search(plan: Plan) -> str:
    if plan.search is None:
        return ""
    studies = len(plan.search.variants)
    each = f" for each of {studies} variants" if studies > 1 else ""
    return f"; a search of {count(plan.search.trials, 'point')}{each}"
