"""craftc run: compile a spec, train what is new, and tell what it showed."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.inputs.blame_failures import blame_failures
from craftc.cli.inputs.check_data import data_diagnostics
from craftc.cli.inputs.compile_file import CompiledFile, compile_file, fail
from craftc.cli.inputs.machine import this_machine
from craftc.cli.parameters import PATH, OneOf, command, option, runs_dir
from craftc.cli.plan import describe
from craftc.cli.report import Format, print_conclusion
from craftc.cli.show_diagnostics import show_diagnostics
from craftc.cli.trackers import tell_of_reused, tell_of_wandb, trackers
from craftc.compiler.planning.shapes import trials_to_try
from craftc.compiler.resolved.resolved_spec import resolved_spec
from craftc.schemas.plan import Trial

if TYPE_CHECKING:
    from craftc.runtime.jobs.backend import Backend
    from craftc.runtime.jobs.job_source import SearchContext
    from craftc.runtime.observers.observer import Observer
    from craftc.runtime.store.run_folder import RunFolder
    from craftc.runtime.store.store import Store
    from craftc.runtime.work.redirect import Terminal

INTERRUPTED = 130
SOME_FAILED = 3
BUDGET_SPENT = 4


class BackendName(StrEnum):
    """What runs the jobs."""

    RAY = "ray"
    INLINE = "inline"


@command()
@click.argument("spec", type=PATH, help="The experiment.")
@option("--address", help="A running Ray cluster: host:port, or auto.")
@runs_dir
@option(
    "--backend",
    type=OneOf(BackendName),
    default="ray",
    help="ray: worker processes; inline: this process, one trial at a time.",
)
def run(spec: Path, address: str | None, runs_dir: Path, backend: BackendName) -> None:
    """Train every trial of the spec that the store does not hold yet, then print the conclusion.

    Exit 0 when all trials finished, 1 with mistakes in the spec, 3 when some trials failed, 4 when the budget
    (resources.budget_hours) was spent before all had begun, 130 after Ctrl-C; what was trained is kept, and the same
    command goes on from there.

    Before anything is trained, every variant of a new shape takes two steps and is evaluated, as `craftc check` does;
    where one of them fails, nothing is trained.

    Example: `craftc run specs/vit_ablation.yaml`
    """
    if address is not None and backend is BackendName.INLINE:
        raise click.BadParameter("the inline backend runs in this process, not on a cluster", param_hint="--address")
    if address is not None and "://" in address:
        raise click.BadParameter(
            f'"{address}" is for craftc submit; run takes host:port, or auto', param_hint="--address"
        )
    from craftc.runtime.store.past_trials import epochs_done
    from craftc.runtime.store.store import Store

    is_here = address is None and backend is BackendName.RAY
    compiled = compile_file(
        spec,
        runs_dir,
        machine=this_machine() if is_here else None,
        concurrent=1 if backend is BackendName.INLINE else None,
    )
    new = [trial.id for trial in compiled.plan.trials if trial.status == "new"]
    done = epochs_done(Store(runs_dir / "store"), new)
    click.echo(describe(compiled.plan, done), err=True)
    _check_data(compiled, runs_dir)
    exit_code = _execute(compiled, runs_dir, backend, address, trials_to_try(compiled.plan, done))
    if exit_code:
        raise Exit(exit_code)


def _check_data(compiled: CompiledFile, runs_dir: Path) -> None:
    """End with 1 where the data contradicts the spec."""
    if not compiled.plan.jobs:
        return
    from craftc.runtime.store.store import Store

    found = data_diagnostics(compiled, compiled.plan, Store(runs_dir / "store").prepared)
    if any(diagnostic.severity == "error" for diagnostic in found):
        fail(found, compiled.texts)
    show_diagnostics(found, compiled.texts, sys.stderr)


def _execute(
    compiled: CompiledFile,
    runs_dir: Path,
    backend_name: BackendName,
    address: str | None,
    to_try: Sequence[Trial],
) -> int:
    """Run the plan and print its conclusion; the exit code. The study is completed after the conclusion."""
    from craftc.runtime.jobs.backend import BackendError
    from craftc.runtime.search.study_writer import StudyWriter
    from craftc.runtime.store.store import Store

    store = Store(runs_dir / "store")
    folder = _new_run(compiled, runs_dir, store)

    def say(text: str) -> None:
        click.echo(text, err=True)

    def warn(text: str) -> None:
        click.echo(f"warning: {text}", err=True)

    exit_code = 0
    try:
        with (
            _sigterm_as_interrupt(),
            StudyWriter(compiled.plan, store, folder, warn=warn, say=say) as study_writer,
        ):
            if compiled.plan.jobs or compiled.plan.search is not None:
                backend = _backend(backend_name, address, folder)
                exit_code = _run_jobs(compiled, store, folder, backend, study_writer, to_try)
            else:
                tell_of_reused(compiled, store, folder)
            _print_end(folder)
    except BackendError as error:
        click.echo(f"error[{error.code}]: {error.message}; see {folder.log}", err=True)
        raise Exit(1) from None
    except KeyboardInterrupt:
        kept = f"what was trained is kept in {store.root}, and the same command goes on from there"
        click.echo(f"interrupted; {kept}", err=True)
        tell_of_wandb(folder)
        raise Exit(INTERRUPTED) from None
    return exit_code


def _new_run(compiled: CompiledFile, runs_dir: Path, store: "Store") -> "RunFolder":
    """Make the folder of the run; end with 1 where nothing can be written there."""
    from craftc.compiler.resolved.write_yaml import as_yaml
    from craftc.runtime.store.driver_process import write_driver
    from craftc.runtime.store.run_folder import create_run

    try:
        resolved = as_yaml(resolved_spec(compiled.analysis))
        folder = create_run(runs_dir, compiled.plan, compiled.text, resolved)
        write_driver(folder.path)
        # There is a store only now where this is the first run.
        store.root.mkdir(exist_ok=True)
        compiled.digests.save()
    except OSError as error:
        message = f'cannot write to "{error.filename or runs_dir}": {error.strerror or error}'
        click.echo(f"error[runs-dir-unusable]: {message}; name another with --runs-dir", err=True)
        raise Exit(1) from None
    return folder


def _run_jobs(
    compiled: CompiledFile,
    store: "Store",
    folder: "RunFolder",
    backend: "Backend",
    study_writer: "Observer",
    to_try: Sequence[Trial],
) -> int:
    """Run the plan's jobs, with all that is printed meanwhile in the run's log; the exit code. Raises Exit(1) where a
    variant that is tried first cannot be trained."""
    from craftc.runtime.execute import execute
    from craftc.runtime.work.redirect import output_to

    with output_to(folder.log) as terminal:
        outcome = execute(
            compiled.plan,
            store=store,
            backend=backend,
            observers=[*_observers(compiled, store, folder, terminal), study_writer],
            run_folder=folder,
            search=_search(compiled, folder),
            to_try=to_try,
        )
    if outcome.refused:
        fail(blame_failures(compiled, outcome.refused, f"the traceback is in {folder.log}"), compiled.texts)
    # A proposed point may fail: the search goes on without it.
    planned = {trial.id for trial in compiled.plan.trials}
    if any(failed.trial in planned for failed in outcome.failed):
        return SOME_FAILED
    return BUDGET_SPENT if outcome.budget is not None else 0


def _print_end(folder: "RunFolder") -> None:
    """The conclusion, and where everything is."""
    from craftc.report.budget import read_budget
    from craftc.report.conclude import conclude
    from craftc.report.read_run import read_run
    from craftc.report.read_search import read_search

    print_conclusion(conclude(*read_run(folder.path), read_search(folder.path), read_budget(folder.path)), Format.TEXT)
    click.echo(f"run folder: {folder.path}", err=True)
    tell_of_wandb(folder)
    if (folder.path / "budget.json").is_file():
        click.echo("the budget is spent; the same command goes on with a new one", err=True)


def _search(compiled: CompiledFile, folder: "RunFolder") -> "SearchContext | None":
    """What a backend needs to propose and compile points; None for a plan that searches nothing."""
    if compiled.plan.search is None:
        return None
    from craftc.compiler.compile_point import PointCompiler
    from craftc.runtime.jobs.job_source import SearchContext

    proposer = PointCompiler(compiled.analysis, Path(compiled.document.filename), compiled.digests, compiled.trained)
    return SearchContext(folder.database, proposer)


def _backend(name: BackendName, address: str | None, folder: "RunFolder") -> "Backend":
    if name is BackendName.INLINE:
        from craftc.runtime.inline_backend import InlineBackend

        return InlineBackend()
    from craftc.runtime.on_ray.backend import RayBackend

    return RayBackend(address, log=folder.log)


def _observers(compiled: CompiledFile, store: "Store", folder: "RunFolder", terminal: "Terminal") -> "list[Observer]":
    """The display on the user's terminal, and the trackers that the spec asks for."""
    from rich.console import Console

    from craftc.cli.progress import LiveProgress, PlainProgress

    console = Console(file=terminal.stderr)
    display = LiveProgress(console) if console.is_terminal else PlainProgress(terminal.stderr)
    return [display, *trackers(compiled, store, folder, display.warn)]


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A polite kill, as a cluster's scheduler sends it, leaves the run as Ctrl-C does."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
