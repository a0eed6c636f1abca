"""craftc resume: go on with a run that was interrupted, as its folder says what it is."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.exceptions import Exit

from craftc.cli.inputs.compile_file import CompiledFile, compile_file
from craftc.cli.own_faults import own_faults_told
from craftc.cli.parameters import RUN, OneOf, command, option, runs_dir
from craftc.cli.run import BackendName, Origin, carry_out, machine_of
from craftc.cli.show_diagnostics import count

if TYPE_CHECKING:
    from craftc.cli.run_state import RunState
    from craftc.schemas.plan import Plan


@dataclass(frozen=True)
class Kept:
    """What a run's folder says of its spec: the file, its text as it was written, the complete text, and its plan."""

    spec: Path
    written: str
    complete: str
    plan: "Plan"


@command()
@click.argument("run", type=RUN, required=False, help="A run's folder, NAME/RUN, or NAME for its latest run.")
@option("--backend", type=OneOf(BackendName), help="As of craftc run; without it, what the run had.")
@option("--address", help="A running Ray cluster, as of craftc run; without it, what the run had.")
@runs_dir
def resume(run: str | None, backend: BackendName | None, address: str | None, runs_dir: Path) -> None:
    """Go on with a run that was interrupted: the newest, or the one that is named.

    Trains what is left of its trials, in a new run of the same spec, which is read from the run's own folder: the
    spec's file may have changed since, and is not read. Code of your own and data are as they are now; where they have
    changed, so have the trials, and craftc says how many.

    Exit as `craftc run`; 2 when there is no such run, or none that was interrupted.

    Example: `craftc resume`
    """
    found = _interrupted(runs_dir) if run is None else _named(run, runs_dir)
    kept = _kept(found.path)
    driver = found.driver
    chosen = backend or BackendName((driver and driver.backend) or "ray")
    where = address or (driver.address if driver and chosen is BackendName.RAY else None)
    _tell(found, kept)
    root = found.path.resolve().parent.parent if run is not None else runs_dir
    with own_faults_told(root):
        compiled = compile_file(kept.spec, root, kept=kept.complete, **machine_of(chosen, where))
        _tell_of_changes(compiled, kept)
        exit_code = carry_out(compiled, root, Origin(kept.spec, kept.written, chosen, where))
    if exit_code:
        raise Exit(exit_code)


def _interrupted(runs_dir: Path) -> "RunState":
    """The newest run that was interrupted, by when it began."""
    from craftc.cli.run_state import all_runs, run_state
    from craftc.runtime.store.driver_process import began_at

    for path in sorted(all_runs(runs_dir), key=began_at, reverse=True):
        found = run_state(path, {})
        if found.state == "interrupted":
            return found
    _none(f'no run in "{runs_dir}" was interrupted; craftc status lists all')


def _named(run: str, runs_dir: Path) -> "RunState":
    from craftc.cli.run_state import run_state
    from craftc.runtime.store.run_folder import find_run

    try:
        found = run_state(find_run(run, runs_dir), {})
    except FileNotFoundError as error:
        _none(str(error))
    if found.state == "running" and found.driver is not None:
        _none(f"{found.name} is running, as process {found.driver.pid}; craftc stop {found.name} ends it")
    return found


def _kept(folder: Path) -> Kept:
    from pydantic import ValidationError

    from craftc.runtime.store.driver_process import read_driver
    from craftc.runtime.store.run_folder import RunFolder
    from craftc.training.foundation.seal import DamagedError, unsealed

    driver, path = read_driver(folder), folder / "spec.resolved.yaml"
    try:
        plan = RunFolder(folder).plan()
        written = RunFolder(folder).spec_text()
        complete = unsealed(path.read_bytes()).content.decode() if path.is_file() else written
    except (DamagedError, ValidationError, UnicodeDecodeError):
        _none(f"a file of {folder} is damaged, as craftc verify says; run its spec again: nothing is trained twice")
    except OSError as error:
        _none(f'cannot read "{error.filename}": {error.strerror or error}; run the spec again')
    return Kept(Path((driver and driver.spec) or folder / "spec.yaml"), written, complete, plan)


def _tell(found: "RunState", kept: Kept) -> None:
    from craftc.runtime.store.driver_process import began_at

    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(began_at(found.path)))
    points = f", {found.num_points} of {count(found.num_points_asked, 'point')}" if found.num_points_asked else ""
    numbers = f"{found.num_finished} of {count(found.num_trials, 'trial')} finished, {found.num_failed} failed{points}"
    click.echo(f"{found.name}, begun {began}: {found.state}; {numbers}", err=True)
    try:
        is_same = kept.spec.read_text(encoding="utf-8") == kept.written
    except (OSError, UnicodeDecodeError):
        click.echo(f"note: {kept.spec} is not there any more; the run's own copy is used", err=True)
        return
    if not is_same:
        again = f"craftc run {kept.spec} runs it as it is now"
        click.echo(f"note: {kept.spec} has changed since; the run's own copy is used, {again}", err=True)


def _tell_of_changes(compiled: CompiledFile, kept: Kept) -> None:
    before, now = ({trial.id for trial in plan.trials} for plan in (kept.plan, compiled.plan))
    if other := len(now - before):
        why = "data, code of your own, or craftc has changed"
        click.echo(f"note: {other} of {count(len(now), 'trial')} are not those of the run any more: {why}", err=True)


def _none(message: str) -> NoReturn:
    click.echo(message, err=True)
    raise Exit(2)
