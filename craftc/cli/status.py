"""craftc status: what runs, what ran, and how far it came."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN_OR_SUBMISSION, OneOf, command, option, runs_dir
from craftc.cli.run_state import Clusters, RunState, all_runs, run_state, submission_states
from craftc.runtime.store.run_folder import find_run
from craftc.runtime.submitting.submissions import find_submission
from craftc.schemas.submission import Submission
from craftc.secret_text import bare_address

FORMAT_VERSION = "1.0"


class Format(StrEnum):
    """How states are written."""

    TEXT = "text"
    JSON = "json"


@command()
@click.argument(
    "run",
    type=RUN_OR_SUBMISSION,
    required=False,
    help="A run's folder, NAME/RUN, NAME, or a submission; all without it.",
)
@option("--format", type=OneOf(Format), default="text", help="How it is written.")
@runs_dir
def status(run: str | None, format: Format, runs_dir: Path) -> None:
    """Tell of runs and submissions whether they run, and how many of their trials are finished.

    Exit 0 whatever their states are, 2 when there is no such run and no such submission.

    Example: `craftc status vit-ablation --format json`
    """
    clusters = Clusters()
    if run is None:
        if format is Format.JSON:
            submitted = submission_states(runs_dir, clusters)
            states = {submission.id: state for submission, state, _ in submitted}
            _print_json([run_state(path, states) for path in all_runs(runs_dir)], submitted)
        else:
            _print_all(runs_dir, clusters)
        return
    submission = find_submission(run, runs_dir)
    if submission is not None:
        if format is Format.JSON:
            state, why = clusters.state(submission)
            _print_json(_runs_of(submission, state), [(submission, state, why)])
        else:
            _print_submission(submission, clusters)
        return
    try:
        path = find_run(run, runs_dir)
    except FileNotFoundError as error:
        click.echo(f"{error}; and it is no submission", err=True)
        raise Exit(2) from None
    state_of_run = _state_of(path, runs_dir, clusters)
    if format is Format.JSON:
        _print_json([state_of_run], [])
    else:
        _print_run(state_of_run)


def _print_json(runs: Sequence[RunState], submissions: Sequence[tuple[Submission, str, str]]) -> None:
    """The contract of `craftc status --format json`: docs/reference/command_line.md."""
    document = {
        "format_version": FORMAT_VERSION,
        "runs": [
            {
                "name": run.name,
                "folder": str(run.path),
                "state": run.state,
                "finished": run.num_finished,
                "failed": run.num_failed,
                "trials": run.num_trials,
                "points": {"ended": run.num_points, "asked": run.num_points_asked} if run.num_points_asked else None,
                "silent_s": run.silent_s,
                "left_out": run.left_out or None,
                "driver": None if run.driver is None else run.driver.model_dump(mode="json"),
            }
            for run in runs
        ],
        "submissions": [
            {
                **submission.model_dump(mode="json"),
                "address": None if submission.address is None else bare_address(submission.address),
                "state": state,
                "message": why or None,
            }
            for submission, state, why in submissions
        ],
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _runs_of(submission: Submission, state: str) -> list[RunState]:
    """The runs that a submission began, an attempt each."""
    runs = [run_state(path, {submission.id: state}) for path in all_runs(Path(submission.runs_dir))]
    return [run for run in runs if run.driver is not None and run.driver.submission == submission.id]


def _print_all(runs_dir: Path, clusters: Clusters) -> None:
    submitted = submission_states(runs_dir, clusters)
    states = {submission.id: state for submission, state, _ in submitted}
    runs = [run_state(path, states) for path in all_runs(runs_dir)]
    if not runs and not submitted:
        click.echo(f'no runs and no submissions in "{runs_dir}"', err=True)
    if runs:
        has_points = any(run.num_points_asked for run in runs)
        head = ("run", "state", "finished", "failed", "trials", *(("points",) if has_points else ()))
        _print_table(head, [(*_numbers(run), *((_points(run),) if has_points else ())) for run in runs])
    if submitted:
        if runs:
            click.echo()
        rows = [(each.id, state, _where(each), each.spec, each.submitted_at) for each, state, _ in submitted]
        _print_table(("submission", "state", "cluster", "spec", "submitted"), rows)


def _numbers(run: RunState) -> tuple[str, ...]:
    return run.name, run.told, str(run.num_finished), str(run.num_failed), str(run.num_trials)


def _points(run: RunState) -> str:
    return f"{run.num_points}/{run.num_points_asked}" if run.num_points_asked else ""


def _state_of(path: Path, runs_dir: Path, clusters: Clusters) -> RunState:
    """A run's state; the cluster is asked only where the run came from one."""
    state = run_state(path, {})
    submission = (
        find_submission(state.driver.submission, runs_dir) if state.driver and state.driver.submission else None
    )
    return state if submission is None else run_state(path, {submission.id: clusters.state(submission)[0]})


def _print_run(run: RunState) -> None:
    click.echo(f"{run.name}: {run.told}")
    click.echo(f"trials: {run.num_finished} finished, {run.num_failed} failed, {run.num_trials} in all")
    if run.num_points_asked:
        click.echo(f"points of the search: {run.num_points} of {run.num_points_asked} ended")
    if run.state == "interrupted":
        click.echo(f"craftc resume {run.name} goes on with it")
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
    for run in _runs_of(submission, state):
        numbers = f"{run.num_finished} finished, {run.num_failed} failed, {run.num_trials} in all"
        click.echo(f"run: {run.name}: {run.state}; trials: {numbers}")


def _where(submission: Submission) -> str:
    # One that was remembered by an earlier craftc may hold a password.
    return submission.cluster if submission.address is None else bare_address(submission.address)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
