"""craftc run: compile a spec, train what is new, and tell what it showed."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from craftc.cli.inputs.blame_failures import blame_failures
from craftc.cli.inputs.check_data import data_diagnostics
from craftc.cli.inputs.compile_file import CompiledFile, compile_file, fail
from craftc.cli.inputs.machine import this_machine
from craftc.cli.own_faults import own_faults_told
from craftc.cli.parameters import PATH, OneOf, command, option, runs_dir
from craftc.cli.plan import describe
from craftc.cli.report import Format, conclusion_of, print_conclusion
from craftc.cli.run_page import PageWriter, write_page
from craftc.cli.show_diagnostics import plain_failures, show_diagnostics
from craftc.cli.trackers import tell_of_reused, tell_of_wandb, trackers
from craftc.compiler.planning.shapes import trials_to_try
from craftc.compiler.resolved.resolved_spec import resolved_spec
from craftc.disk_full import is_disk_full
from craftc.schemas.plan import Plan, Trial
from craftc.secret_text import bare_address, masked

if TYPE_CHECKING:
    from craftc.cli.progress import LiveProgress, PlainProgress
    from craftc.runtime.jobs.backend import Backend
    from craftc.runtime.jobs.job_source import SearchContext
    from craftc.runtime.observers.observer import Observer, Warn
    from craftc.runtime.store.run_folder import RunFolder
    from craftc.runtime.store.store import Store
    from craftc.runtime.worker.redirect import Terminal

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
@option("--dry-run", is_flag=True, help="With --address: list the files that would be sent, and train nothing.")
def run(spec: Path, address: str | None, runs_dir: Path, backend: BackendName, dry_run: bool) -> None:
    """Train every trial of the spec that the store does not hold yet, then print the conclusion.

    Exit 0 when all trials finished, 1 with mistakes in the spec, 3 when some trials or points of a search
    failed, 4 when the budget (resources.budget_hours) was spent before all had begun, 5 when the disk is full, 130
    after Ctrl-C; what was trained is kept, and the same command goes on from there.

    Before anything is trained, every variant of a new shape takes two steps and is evaluated, as `craftc check` does;
    where one of them fails, nothing is trained.

    Example: `craftc run specs/vit_ablation.yaml`
    """
    if address is not None and backend is BackendName.INLINE:
        raise click.BadParameter("the inline backend runs in this process, not on a cluster", param_hint="--address")
    if address is not None and "://" in address:
        raise click.BadParameter(
            f'"{bare_address(address)}" is for craftc submit; run takes host:port, or auto', param_hint="--address"
        )
    if dry_run and address is None:
        raise click.BadParameter(
            "nothing is sent without --address; craftc plan shows the rest", param_hint="--dry-run"
        )
    with own_faults_told(runs_dir):
        exit_code = _compile_and_execute(spec, address, runs_dir, backend, dry_run=dry_run)
    if exit_code:
        raise Exit(exit_code)


def _compile_and_execute(
    spec: Path, address: str | None, runs_dir: Path, backend: BackendName, *, dry_run: bool
) -> int:
    compiled = compile_file(spec, runs_dir, **machine_of(backend, address))
    if address is not None:
        _show_sent(compiled, runs_dir, dry_run=dry_run)
    if dry_run:
        return 0
    return carry_out(compiled, runs_dir, Origin(spec, compiled.text, backend, address))


@dataclass(frozen=True)
class Origin:
    """What a run is of: the spec's file, its text as it was written, and what the command line said."""

    spec: Path
    text: str
    backend: BackendName
    address: str | None


def machine_of(backend: BackendName, address: str | None) -> dict[str, Any]:
    """What `compile_file` is to know of where the run is."""
    is_here = address is None and backend is BackendName.RAY
    concurrent = 1 if backend is BackendName.INLINE else None
    return {"machine": this_machine() if is_here else None, "concurrent": concurrent}


def carry_out(compiled: CompiledFile, runs_dir: Path, origin: Origin) -> int:
    """Train what is new of a compiled spec, and print the conclusion; the exit code."""
    from craftc.runtime.store.past_trials import epochs_done
    from craftc.runtime.store.store import Store

    new = [trial.id for trial in compiled.plan.trials if trial.status == "new"]
    done = epochs_done(Store(runs_dir / "store"), new)
    click.echo(describe(compiled.plan, done), err=True)
    _check_installed(compiled, origin.backend)
    _check_data(compiled, runs_dir)
    return _execute(compiled, runs_dir, origin, trials_to_try(compiled.plan, done))


def _show_sent(compiled: CompiledFile, runs_dir: Path, *, dry_run: bool) -> None:
    """Warn of what is sent to the cluster, and with `dry_run` list it."""
    from craftc.runtime.on_ray.describe_packed import listing, notes
    from craftc.runtime.on_ray.sent_code import packed_code

    with plain_failures():
        packed = packed_code(compiled.plan.import_folders, runs_dir)
    if packed is None:
        if dry_run:
            click.echo("left out:")
            click.echo("nothing is sent: the spec names no code of its own, or runs where it was sent", err=True)
        return
    for note in notes(packed):
        click.echo(note, err=True)
    if dry_run:
        click.echo(listing(packed))


def _check_installed(compiled: CompiledFile, backend: BackendName) -> None:
    """Raise ModuleNotFoundError for a package that is missing, before a run has a folder. None is imported for it."""
    needed = ["filelock", "numpy", "optuna", "psutil", "scipy"]
    if compiled.plan.jobs or compiled.plan.search is not None:
        needed += ["sklearn", "torch", "torchmetrics", *(["ray"] if backend is BackendName.RAY else [])]
    for name in needed:
        if find_spec(name) is None:
            raise ModuleNotFoundError(name=name)


def _check_data(compiled: CompiledFile, runs_dir: Path) -> None:
    """End with 1 where the data contradicts the spec."""
    if not compiled.plan.jobs:
        return
    from craftc.runtime.store.store import Store

    found = data_diagnostics(compiled, compiled.plan, Store(runs_dir / "store").prepared)
    if any(diagnostic.severity == "error" for diagnostic in found):
        fail(found, compiled.texts)
    # What the files showed when the spec was read has been reported.
    reported = {(each.code, each.range) for each in compiled.analysis.diagnostics}
    show_diagnostics([each for each in found if (each.code, each.range) not in reported], compiled.texts, sys.stderr)


def _execute(compiled: CompiledFile, runs_dir: Path, origin: Origin, to_try: Sequence[Trial]) -> int:
    """Run the plan and print its conclusion; the exit code. The study is completed after the conclusion."""
    from craftc.report.read_run import RunUnreadableError
    from craftc.runtime.jobs.backend import BackendError
    from craftc.runtime.search.study_writer import StudyWriter
    from craftc.runtime.store.store import Store

    store = Store(runs_dir / "store")
    folder = _new_run(compiled, runs_dir, store, origin)
    if compiled.plan.jobs:
        from craftc.runtime.store.drawn_splits import write_drawn_splits

        write_drawn_splits(compiled.plan, folder.path, store.prepared)

    def say(text: str) -> None:
        click.echo(text, err=True)

    def warn(text: str) -> None:
        click.echo(f"warning: {masked(text)}", err=True)

    exit_code = 0
    try:
        with (
            _last_words(origin.backend, store, folder),
            _sigterm_as_interrupt(),
            StudyWriter(compiled.plan, store, folder, warn=warn, say=say) as study_writer,
        ):
            if _is_work(compiled.plan, store, folder):
                backend = _backend(origin.backend, origin.address, folder)
                exit_code = _run_jobs(compiled, store, folder, backend, study_writer, to_try)
            else:
                tell_of_reused(compiled, store, folder)
                _make_lacking(compiled, store, folder, warn, say)
            _print_end(folder)
            write_page(folder.path, warn=warn)
    except BackendError as error:
        if is_disk_full(error):
            raise
        click.echo(f"error[{error.code}]: {error.message}; see {folder.log}", err=True)
        raise Exit(1) from None
    except RunUnreadableError as error:
        # A file of this run was damaged while it ran.
        click.echo(str(error), err=True)
        raise Exit(1) from None
    except KeyboardInterrupt:
        kept = f"what was trained is kept in {store.root}, and the same command goes on from there"
        click.echo(f"interrupted; {kept}", err=True)
        write_page(folder.path, warn=warn)
        tell_of_wandb(folder)
        raise Exit(INTERRUPTED) from None
    return exit_code


def _is_work(plan: Plan, store: "Store", folder: "RunFolder") -> bool:
    """Whether anything is to be trained. Of a plan that adds seeds until variants are decided, all may be."""
    if not plan.jobs or not plan.analysis_plan.looks:
        return bool(plan.jobs) or plan.search is not None
    from craftc.cli.progress import withheld_line
    from craftc.report.conclude import decided_variants
    from craftc.runtime.jobs.until_decided import withheld_of

    withheld = withheld_of(plan, store, decided_variants)
    if withheld is not None:
        folder.write_withheld(withheld)
        click.echo(withheld_line(withheld), err=True)
    return withheld is None


def _new_run(compiled: CompiledFile, runs_dir: Path, store: "Store", origin: Origin) -> "RunFolder":
    """Make the folder of the run; end with 1 where nothing can be written there."""
    from craftc.compiler.resolved.write_yaml import as_yaml
    from craftc.runtime.store.driver_process import write_driver
    from craftc.runtime.store.run_folder import create_run

    try:
        resolved = as_yaml(resolved_spec(compiled.analysis))
        folder = create_run(runs_dir, compiled.plan, origin.text, resolved)
        # Of an address, what authorizes is not kept.
        address = None if origin.address is None else bare_address(origin.address)
        write_driver(folder.path, spec=origin.spec, backend=origin.backend.value, address=address)
        # There is a store only now where this is the first run.
        store.root.mkdir(exist_ok=True)
        compiled.digests.save()
    except OSError as error:
        if is_disk_full(error):
            raise
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
    from craftc.runtime.artefacts.artefact_maker import ArtefactMaker
    from craftc.runtime.execute import execute
    from craftc.runtime.worker.redirect import output_to

    with output_to(folder.log) as terminal:
        display = _display(compiled, store, terminal)

        def say(text: str) -> None:
            click.echo(text, file=terminal.stderr)

        with ArtefactMaker(compiled.plan, store, folder.log, display.warn, say) as artefacts:
            outcome = execute(
                compiled.plan,
                store=store,
                backend=backend,
                observers=[
                    display,
                    *trackers(compiled, store, folder, display.warn),
                    study_writer,
                    artefacts,
                    PageWriter(folder.path, warn=display.warn),
                ],
                run_folder=folder,
                search=_search(compiled, folder),
                to_try=to_try,
                warn=display.warn,
            )
    if outcome.refused:
        fail(blame_failures(compiled, outcome.refused, f"the traceback is in {folder.log}"), compiled.texts)
    if outcome.failed or _has_failed_point(folder):
        return SOME_FAILED
    return BUDGET_SPENT if outcome.budget is not None else 0


def _make_lacking(compiled: CompiledFile, store: "Store", folder: "RunFolder", warn: "Warn", say: "Warn") -> None:
    """Make the artefacts that trials of an earlier run lack, where nothing is trained."""
    if compiled.plan.artefacts:
        from craftc.runtime.artefacts.artefact_maker import ArtefactMaker

        with ArtefactMaker(compiled.plan, store, folder.log, warn, say):
            pass


def _last_words(name: BackendName, store: "Store", folder: "RunFolder") -> AbstractContextManager[None]:
    """Within it, a run that ends at once, by a kill, Ray or the code of a trial, says so."""
    from craftc.runtime.worker.last_words import last_words

    by = "by Ray" if name is BackendName.RAY else "by the code of a trial (os._exit, or a crash of compiled code)"
    kept = f"what was trained is kept in {store.root}, and the same command goes on from there"
    return last_words(f"the run was ended from outside, or {by}: see {folder.log}; {kept}", sys.stderr)


def _has_failed_point(folder: "RunFolder") -> bool:
    """Whether a point of the search has no value although its trials finished, or ended without one."""
    from craftc.report.read_search import read_search

    search = read_search(folder.path)
    return search is not None and any(
        point.state == "failed" for study in search.summary.studies for point in study.points
    )


def _print_end(folder: "RunFolder") -> None:
    """The conclusion, and where everything is."""
    print_conclusion(conclusion_of(folder.path), Format.TEXT)
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
    from craftc.report.conclude import decided_variants

    if name is BackendName.INLINE:
        from craftc.runtime.inline_backend import InlineBackend

        return InlineBackend(decided=decided_variants)
    from craftc.runtime.on_ray.backend import RayBackend

    return RayBackend(address, log=folder.log, decided=decided_variants)


def _display(compiled: CompiledFile, store: "Store", terminal: "Terminal") -> "LiveProgress | PlainProgress":
    """On the user's terminal, or as lines."""
    from rich.console import Console

    from craftc.cli.progress import LiveProgress, PlainProgress
    from craftc.cli.search_progress import values_at_start

    console = Console(file=terminal.stderr)
    # FORCE_COLOR makes no terminal of a file, and a dumb one cannot draw over a line.
    is_live = terminal.stderr.isatty() and not console.is_dumb_terminal
    starts = values_at_start(compiled.plan, store)
    return LiveProgress(console, starts) if is_live else PlainProgress(terminal.stderr, store, starts)


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
