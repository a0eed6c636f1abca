"""craftc check: try every variant of a spec, and show what it costs."""

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from craftc.cli.check_view.columns import columns_of_tables
from craftc.cli.check_view.rows import Row, rows_of
from craftc.cli.inputs.blame_failures import blame_failures, blame_warnings
from craftc.cli.inputs.check_data import data_diagnostics
from craftc.cli.inputs.compile_file import CompiledFile, compile_file
from craftc.cli.inputs.machine import this_machine
from craftc.cli.parameters import PATH, OneOf, command, option, runs_dir
from craftc.cli.plan_view.data import column_json, column_lines
from craftc.cli.show_diagnostics import count, show_diagnostics, summary
from craftc.compiler.data_files.column_roles import TableColumn
from craftc.compiler.planning.passes.pack import job_resources
from craftc.compiler.planning.shapes import shape_key, shapes_of
from craftc.schemas.diagnostic import Diagnostic, diagnostic_json
from craftc.schemas.plan import Trial

if TYPE_CHECKING:
    from craftc.runtime.worker.check_trials import Checked


Tables = Sequence[tuple[str, tuple[TableColumn, ...]]]


class Format(StrEnum):
    """How what was found is written."""

    TEXT = "text"
    JSON = "json"


@command()
@click.argument("spec", type=PATH, help="The experiment.")
@option("--format", type=OneOf(Format), default="text", help="How what was found is written.")
@option("--traceback", is_flag=True, help="Print Python's traceback of each failure, too.")
@runs_dir
def check(spec: Path, format: Format, traceback: bool, runs_dir: Path) -> None:
    """Build every variant, take two steps, evaluate two batches of every split, and show what a step costs.

    Variants that run the same code on tensors of the same shapes, as those of other seeds and learning rates do, are
    checked once. Of a search, the ends of its ranges and its choices are checked as well. Nothing is stored. Exit 0
    when every variant can be trained, 1 when one cannot.

    Parameters are those that are trained. FLOPs are of the forward pass of one sample; a multiplication and an
    addition are two. Memory is the most that tensors take at once: weights, gradients, optimizer and one step.

    Of a program the function is imported and its arguments are built; it is not called.

    Example: `craftc check specs/vit_ablation.yaml`
    """
    compiled = compile_file(spec, runs_dir, machine=this_machine(), runs_here=False)
    found = data_diagnostics(compiled, compiled.all_new())
    checked: list[Checked] = []
    corners: tuple[Trial, ...] = ()
    if not any(diagnostic.severity == "error" for diagnostic in found):
        corners = _corners(compiled)
        checked = _check(compiled, corners, quiet=format is Format.JSON)
        failures = [each.failure for each in checked if each.failure is not None]
        hint = "" if traceback else "--traceback shows where it was raised"
        found += blame_failures(compiled, failures, hint, corners)
        found += blame_warnings(compiled, {each.trial: each.warning for each in checked if each.warning}, corners)
    rows = rows_of(compiled.plan, checked, corners)
    tables = [] if not rows else columns_of_tables(compiled.plan)
    has_failed = any(diagnostic.severity == "error" for diagnostic in found)
    if format is Format.JSON:
        click.echo(json.dumps(_as_json(compiled, rows, found, tables, valid=not has_failed), indent=2))
    else:
        _print_text(compiled, rows, found, tables)
    if traceback:
        for each in checked:
            click.echo(each.failure.traceback if each.failure else "", err=True, nl=False)
    if has_failed:
        raise Exit(1)


def _corners(compiled: CompiledFile) -> tuple[Trial, ...]:
    """Of the search, if there is one."""
    search = compiled.plan.search
    if search is None:
        return ()
    from craftc.compiler.compile_point import PointCompiler
    from craftc.compiler.search_corners import search_corners

    path = Path(compiled.document.filename)
    compiler = PointCompiler(compiled.analysis, path, compiled.digests, compiled.trained)
    return search_corners(compiler, search, {shape_key(trial) for trial in compiled.plan.trials})


def _check(compiled: CompiledFile, corners: Sequence[Trial], *, quiet: bool) -> "list[Checked]":
    """One trial of each shape, one after another, in this process."""
    from craftc.runtime.jobs.backend import pick_device
    from craftc.runtime.worker.check_trials import check_trials
    from craftc.runtime.worker.own_code import make_importable

    make_importable(compiled.plan.import_folders)
    resources = job_resources(compiled.spec)
    device, trials = pick_device(resources.gpu), shapes_of([*compiled.plan.trials, *corners])
    if resources.gpu and device == "cpu" and not quiet:
        click.echo("note: the spec asks for GPUs, and torch finds none here: checked on the CPU", err=True)
    # Whatever a model prints is no result.
    with redirect_stdout(sys.stderr):
        return list(check_trials(trials, device=device, cpus=resources.cpu))


def _print_text(compiled: CompiledFile, rows: Sequence[Row], found: list[Diagnostic], tables: Tables) -> None:
    from rich.console import Console

    from craftc.cli.check_view.table import print_rows

    show_diagnostics(found, compiled.texts, sys.stderr)
    if rows:
        print_rows(rows, Console(file=sys.stdout, highlight=False, markup=False))
        for title, columns in tables:
            click.echo("\n".join([title, *column_lines(columns)]))
        shapes = count(len({row.checked_as for row in rows}), "shape")
        devices = " and ".join(sorted({row.device for row in rows if row.device}))
        where = f" on {devices}" if devices else ""
        click.echo(f"{count(len(rows), 'variant')} of {shapes} checked{where}: {summary(found)}")
        if any(trial.is_program for trial in compiled.plan.trials):
            click.echo("note: the program was imported and its arguments were built; it was not called", err=True)
    else:
        click.echo(summary(found), err=True)


def _as_json(
    compiled: CompiledFile, rows: Sequence[Row], found: Sequence[Diagnostic], tables: Tables, *, valid: bool
) -> dict[str, Any]:
    """The contract of `craftc check --format json`."""
    return {
        "format_version": "1.0",
        "name": compiled.plan.name,
        "valid": valid,
        "variants": [row._asdict() for row in rows],
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in found],
    } | ({"columns": [[column_json(column) for column in columns] for _, columns in tables]} if tables else {})
