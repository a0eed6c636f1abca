"""craftc stop: a run or a submitted job ends, and can be gone on with."""

import os
import signal
import time
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN_OR_SUBMISSION, command, runs_dir
from craftc.cli.run_state import Clusters
from craftc.cli.show_diagnostics import plain_failures
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.store.driver_process import Driver, is_alive, is_here, read_driver
from craftc.runtime.store.run_folder import find_run
from craftc.runtime.submitting.cluster import GOING_ON
from craftc.runtime.submitting.submissions import find_submission
from craftc.schemas.submission import Submission

STOP_TIMEOUT_S = 60.0
POLL_S = 0.2


@command()
@click.argument("run", type=RUN_OR_SUBMISSION, help="A run's folder, NAME/RUN, NAME for its latest, or a submission.")
@runs_dir
def stop(run: str, runs_dir: Path) -> None:
    """End a run, here or on a cluster. What was trained is kept: the same command as before goes on from there.

    Example: `craftc stop vit-ablation`
    """
    submission, driver, name = _find(run, runs_dir)
    with plain_failures():
        if submission is not None:
            was_running = _stop_submission(submission)
        else:
            was_running = driver is not None and _stop_driver(driver, name)
    kept = "stopped; what was trained is kept, and the same command goes on from there"
    click.echo(f"{name}: {kept if was_running else 'is not running'}", err=True)


def _find(text: str, runs_dir: Path) -> tuple[Submission | None, Driver | None, str]:
    submission = find_submission(text, runs_dir)
    if submission is not None:
        return submission, None, submission.id
    try:
        path = find_run(text, runs_dir)
    except FileNotFoundError as error:
        click.echo(f"{error}; and it is no submission", err=True)
        raise Exit(2) from None
    driver = read_driver(path)
    submission = find_submission(driver.submission, runs_dir) if driver and driver.submission else None
    return submission, driver, f"{path.resolve().parent.name}/{path.name}"


def _stop_submission(submission: Submission) -> bool:
    clusters = Clusters()
    was_running = clusters.of(submission).stop(submission.job)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while was_running and (state := clusters.state(submission)[0]) in GOING_ON:
        if time.monotonic() > deadline:
            raise BackendError("still-running", f"{submission.job} is {state} after {STOP_TIMEOUT_S:g} s")
        time.sleep(POLL_S)
    return was_running


def _stop_driver(driver: Driver, name: str) -> bool:
    if not is_here(driver):
        raise BackendError("driver-elsewhere", f"{name} was started on {driver.host}; stop it there")
    if not is_alive(driver):
        return False
    # Not SIGINT: a process that a shell put into the background may ignore that one.
    os.kill(driver.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_alive(driver):
        if time.monotonic() > deadline:
            raise BackendError("still-running", f"process {driver.pid} still runs after {STOP_TIMEOUT_S:g} s")
        time.sleep(POLL_S)
    return True
