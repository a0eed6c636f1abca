"""craftc log: keep a Markdown file with an entry for every run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.parameters import command, option, runs_dir

if TYPE_CHECKING:
    from craftc.report.experiment_log import LogEntry

FILE = "EXPERIMENTS.md"


@command()
@click.argument("names", nargs=-1, metavar="[NAME]...", help="Names of specs whose runs are meant; all without any.")
@option("--file", type=click.Path(path_type=Path, dir_okay=False), default=FILE, help="The log.")
@runs_dir
def log(names: tuple[str, ...], file: Path, runs_dir: Path) -> None:
    """Keep a log of all runs: an entry each, with what changed, what came of it, and room for what people write.

    What craftc writes of a run stands between two comments and is brought up to date; what you write elsewhere stays.

    Exit 0, 1 where the log's comments do not go together, 2 when there are no such runs.

    Example: `craftc log --file docs/EXPERIMENTS.md`
    """
    from craftc.report.experiment_log import LogDamagedError, entry_text, merged
    from craftc.training.foundation.atomic_file import write_atomically

    entries = sorted(_entries(names, runs_dir), key=lambda entry: entry.run.rpartition("/")[2], reverse=True)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        content = merged(text, {entry.run: entry_text(entry) for entry in entries})
    except LogDamagedError as error:
        click.echo(f"{file}: {error}", err=True)
        raise Exit(1) from None
    if content != text:
        write_atomically(file, content.encode())
    click.echo(f"{file}: {len(entries)} run{'' if len(entries) == 1 else 's'}", err=True)


def _entries(names: tuple[str, ...], runs_dir: Path) -> "Iterator[LogEntry]":
    from craftc.runtime.store.run_folder import runs_of

    folders = [runs_dir / name for name in names] or sorted(path for path in runs_dir.glob("*") if path.is_dir())
    runs = [runs_of(folder) for folder in folders]
    lacking = [folder.name for folder, found in zip(folders, runs, strict=True) if not found] if names else []
    if lacking or not any(runs):
        of = f" of {', '.join(lacking)}" if lacking else ""
        click.echo(f'no runs{of} in "{runs_dir}"', err=True)
        raise Exit(2)
    for of_name in runs:
        before: Path | None = None
        for run in of_name:
            entry = _entry(run, before, runs_dir)
            if entry is not None:
                before = run
                yield entry


def _entry(run: Path, before: Path | None, runs_dir: Path) -> "LogEntry | None":
    """None of a run that cannot be read, which is said."""
    from craftc.cli.inputs.read_experiment import read_run_as_experiment
    from craftc.cli.run_state import run_state
    from craftc.report.diff_fields import diff_fields
    from craftc.report.experiment_log import LogEntry
    from craftc.report.read_run import RunUnreadableError
    from craftc.report.turning_point import turning_point
    from craftc.schemas.plan import variant_trials
    from craftc.training.state.history import read_history

    try:
        side = read_run_as_experiment(run)
        base = None if before is None else read_run_as_experiment(before)
    except RunUnreadableError as error:
        click.echo(f"warning: {error}", err=True)
        return None
    assert side.run is not None
    conclusion = side.run.conclusion
    state = run_state(run, {})
    status = f"{state.state}, {state.num_finished} of {state.num_trials} trials"
    changes = None
    if base is not None and base.fields is not None and side.fields is not None:
        changes = diff_fields(base.fields, side.fields)
    of_baseline = variant_trials(side.plan).get(side.plan.baseline, ())
    store = runs_dir / "store"
    split = conclusion.gap_splits[1] if conclusion.gap_splits else "valid"
    return LogEntry(
        run=side.side.label,
        date=_date(run.name),
        status=status,
        description=str((side.fields or {}).get("description") or ""),
        conclusion=conclusion,
        base=None if before is None else before.name,
        changes=changes,
        turning=turning_point((read_history(store / trial.id, trial.id).records for trial in of_baseline), split),
    )


def _date(run: str) -> str:
    """`2026-11-21 03:15`, by the run's name."""
    day, _, rest = run.partition("_")
    clock, _, job = rest.partition("_j")
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:4]}{f', Slurm job {job}' if job else ''}"
