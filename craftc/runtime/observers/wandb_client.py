"""Talks to Weights & Biases: makes runs and sweeps, and uploads offline runs. The only file that imports wandb, or runs
its command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craftc.runtime.observers.wandb_mode import CONNECTION_VARIABLES, Mode
from craftc.runtime.observers.wandb_record import WandbSettings

INIT_TIMEOUT_S = 20.0
FINISH_TIMEOUT_S = 15.0
QUERY_TIMEOUT_S = 10
STALL_TIMEOUT_S = 60.0
"""How long a server may take; what it did not take stays in the run folder and can be uploaded later."""

ENDED = ("finished", "failed")
"""States of a run whose last rows and exit code the server has."""


@dataclass(frozen=True)
class RunIdentity:
    """What a trial's W&B run is called. `id` is unique in its project; `sweep_id` None for one in no sweep."""

    id: str
    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    sweep_id: str | None


def begin_run(
    identity: RunIdentity, config: Mapping[str, Any], settings: WandbSettings, *, mode: Mode, folder: Path
) -> Any:
    """Begin a W&B run, kept in `folder`/wandb. Raises what wandb raises where the server refuses or does not answer."""
    import wandb

    with without_overrides():
        return wandb.init(
            project=settings.project,
            entity=settings.entity,
            id=identity.id,
            group=identity.group,
            name=identity.name,
            job_type=identity.job_type,
            tags=identity.tags or None,
            config=dict(config),
            dir=folder,
            reinit="create_new",
            settings=wandb.Settings(
                mode=mode,
                # Not by the environment: WANDB_SWEEP_ID would make wandb ignore the id and the project.
                sweep_id=identity.sweep_id,
                quiet=True,
                silent=True,
                console="off",
                save_code=False,
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                host="",
                program="craftc",
                init_timeout=INIT_TIMEOUT_S,
                finish_timeout=FINISH_TIMEOUT_S,
                finish_timeout_raises=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )


def create_sweep(config: Mapping[str, Any], settings: WandbSettings, runs: Sequence[str] = ()) -> str:
    """Make a sweep, of runs that the server has already or of none yet; its id."""
    import wandb

    with without_overrides():
        return wandb.sweep(
            dict(config), entity=settings.entity, project=settings.project, prior_runs=list(runs) or None
        )


def ended_runs(entity: str, project: str, group: str) -> set[str]:
    """The ids of the group's runs that the server has to their end."""
    import wandb

    with without_overrides():
        runs = wandb.Api(timeout=QUERY_TIMEOUT_S).runs(f"{entity}/{project}", filters={"group": group})
        return {run.id for run in runs if run.state in ENDED}


def teardown() -> None:
    """End wandb's own process."""
    import wandb

    with without_overrides():
        try:
            wandb.teardown()
        except SystemExit as end:
            # wandb ends the program where its service had an error.
            raise RuntimeError(f"the wandb service ended with exit code {end.code}") from end


def upload(folders: Sequence[Path], log: Path) -> None:
    """Upload what wandb kept in the folders of runs, by its own `wandb sync`; `is_uploaded` tells of which it was done.

    A server that takes no further run for STALL_TIMEOUT_S seconds is given up. wandb's output is appended to `log`.
    """
    # -P: a folder called wandb in the working directory is not the package.
    command = [sys.executable, "-P", "-m", "wandb", "sync", "--include-online", *(str(path) for path in folders)]
    environment = {name: value for name, value in os.environ.items() if not _overrides(name)}
    with open(log, "ab") as output:
        # In a session of its own, so that what it starts ends with it.
        process = subprocess.Popen(
            command,
            cwd=log.parent,  # where it keeps logs of its own, in a folder wandb/
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_while_it_moves(process, folders)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_uploaded(folder: Path) -> bool:
    """Whether `wandb sync` has marked the folder's run as one that the server has taken whole."""
    return any(folder.glob("*.wandb.synced"))


def _wait_while_it_moves(process: "subprocess.Popen[bytes]", folders: Sequence[Path]) -> None:
    num_done, since = 0, time.monotonic()
    while process.poll() is None and time.monotonic() - since < STALL_TIMEOUT_S:
        time.sleep(0.1)
        if (num_now := sum(map(is_uploaded, folders))) > num_done:
            num_done, since = num_now, time.monotonic()


def _overrides(name: str) -> bool:
    return name.startswith("WANDB_") and name not in CONNECTION_VARIABLES


@contextmanager
def without_overrides() -> Iterator[None]:
    """Hide WANDB_* variables that would have a say in what is written where, and drop those that wandb sets itself."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if _overrides(name)}
    try:
        yield
    finally:
        for name in list(os.environ):
            if _overrides(name):
                del os.environ[name]
        os.environ.update(hidden)
