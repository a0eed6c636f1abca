"""craftc status: what runs, what ran, and how far it came."""

from collections.abc import Sequence
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.parameters import command, runs_dir
from craftc.cli.run_state import Clusters, RunState, all_runs, run_state, submission_states
from craftc.runtime.store.run_folder import find_run
from craftc.runtime.submitting.submissions import find_submission
from craftc.schemas.submission import Submission


@command()
@click.argument("run", required=False, help="A run's folder, NAME/RUN, NAME, or a submission; all without it.")
@runs_dir
def status(run: str | None, runs_dir: Path) -> None:
    """Tell of runs and submissions whether they run, and how many of their trials are finished.

    Example: `craftc status vit-ablation`
    """
    clusters = Clusters()
    if run is None:
        _print_all(runs_dir, clusters)
        return
    submission = find_submission(run, runs_dir)
    if submission is not None:
        _print_submission(submission, clusters)
        return
    try:
        path = find_run(run, runs_dir)
    except FileNotFoundError as error:
        click.echo(f"{error}; and it is no submission", err=True)
        raise Exit(2) from None
    _print_run(_state_of(path, runs_dir, clusters))


def _print_all(runs_dir: Path, clusters: Clusters) -> None:
    submitted = submission_states(runs_dir, clusters)
    states = {submission.id: state for submission, state, _ in submitted}
    runs = [run_state(path, states) for path in all_runs(runs_dir)]
    if not runs and not submitted:
        click.echo(f'no runs and no submissions in "{runs_dir}"', err=True)
    if runs:
        rows = [(run.name, run.state, str(run.num_finished), str(run.num_failed), str(run.num_trials)) for run in runs]
        _print_table(("run", "state", "finished", "failed", "trials"), rows)
    if submitted:
        if runs:
            click.echo()
        rows = [(each.id, state, _where(each), each.spec, each.submitted_at) for each, state, _ in submitted]
        _print_table(("submission", "state", "cluster", "spec", "submitted"), rows)


def _state_of(path: Path, runs_dir: Path, clusters: Clusters) -> RunState:
    """A run's state; the cluster is asked only where the run came from one."""
    state = run_state(path, {})
    submission = (
        find_submission(state.driver.submission, runs_dir) if state.driver and state.driver.submission else None
    )
    return state if submission is None else run_state(path, {submission.id: clusters.state(submission)[0]})


def _print_run(run: RunState) -> None:
    click.echo(f"{run.name}: {run.state}")
    click.echo(f"trials: {run.num_finished} finished, {run.num_failed} failed, {run.num_trials} in all")
    if run.left_out:
        click.echo(run.left_out)
    if run.driver is not None:
        submitted = f", submitted as {run.driver.submission}" if run.driver.submission else ""
        click.echo(f"driver: process {run.driver.pid} on {run.driver.host}{submitted}")
    click.echo(f"folder: {run.path}")


def _print_submission(submission: Submission, clusters: Clusters) -> None:
    state, why = clusters.state(submission)
    attempt = f", attempt {submission.attempt}" if submission.attempt > 1 else ""
    click.echo(f"{submission.id}: {state}{f': {why}' if why else ''}")
    click.echo(f"job: {submission.job} on {_where(submission)}{attempt}, submitted {submission.submitted_at}")
    click.echo(f"spec: {submission.spec} of {submission.project}")
    runs = [run_state(path, {submission.id: state}) for path in all_runs(Path(submission.runs_dir))]
    for run in runs:
        if run.driver is not None and run.driver.submission == submission.id:
            numbers = f"{run.num_finished} finished, {run.num_failed} failed, {run.num_trials} in all"
            click.echo(f"run: {run.name}: {run.state}; trials: {numbers}")


def _where(submission: Submission) -> str:
    return submission.address or submission.cluster


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
