"""What a cluster is to craftc: it is asked for a run, asked after it, told to end it, and passes on its log."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from craftc.runtime.store.driver_process import SUBMISSION_VARIABLE
from craftc.schemas.spec import Resources

RAY = "ray"
SLURM = "slurm"
"""The clusters that ship with craftc; any other is `package.module:Name`."""
GONE = "gone"
GOING_ON = ("waiting", "running")
ENDS = {"finished": 0, "stopped": 130}
"""What a run exits with, where the cluster says no more than its state; 1 otherwise."""


@dataclass(frozen=True)
class RunRequest:
    """A run that a cluster is asked for: `craftc run SPEC --runs-dir DIR` in the folder of the project.

    `id` names the submission, `name` the spec. `spec` is relative to `project`; `runs_dir` is absolute, and meant for
    the cluster's machines. `reads` are the files that the spec reads, by how they are named there.
    """

    id: str
    name: str
    project: Path
    spec: str
    runs_dir: Path
    resources: Resources
    reads: Mapping[str, Path] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """What runs the spec where this Python is, called in the project's folder."""
        return [sys.executable, "-m", "craftc", "run", self.spec, "--runs-dir", str(self.runs_dir)]

    @property
    def environment(self) -> dict[str, str]:
        """What the command is to find in its environment: by it the run notes what it was submitted as."""
        return {SUBMISSION_VARIABLE: self.id}


@dataclass(frozen=True)
class Submitted:
    """The job that runs what was asked for, as the cluster calls it.

    `id` names the submission where the cluster has a better name for it than the request's. Not `is_new` where the
    job was there already; `attempt` counts from 1. `summary` says in a sentence what was sent, `notes` what else the
    user should know.
    """

    job: str
    id: str | None = None
    attempt: int = 1
    is_new: bool = True
    state: str = "waiting"
    summary: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobState:
    """What the cluster says of a job: waiting, running, finished, failed, stopped or gone, or in its own words; and in
    a sentence why. `exit_code` once it is over."""

    state: str
    message: str = ""
    exit_code: int | None = None

    @property
    def end(self) -> int:
        """What to exit with after the job."""
        return self.exit_code if self.exit_code is not None else ENDS.get(self.state, 1)


class Cluster(Protocol):
    """Where a run can be sent. Every method may raise BackendError where the cluster does not answer or refuses."""

    def submit(self, request: RunRequest) -> Submitted:
        """Have the run begin, now or when there is room."""
        ...

    def status(self, job: str) -> JobState:
        """What became of a job."""
        ...

    def stop(self, job: str) -> bool:
        """Have a job end so that its run can be gone on with; whether it was still going. May return before its end."""
        ...

    def logs(self, job: str, write: Callable[[str], None]) -> None:
        """Pass on the job's log as it grows, until the job is over."""
        ...


@runtime_checkable
class Rehearsed(Protocol):
    """A cluster that can show what it would do."""

    def dry_run(self, request: RunRequest) -> Submitted:
        """Write what `submit` would hand over, and hand over nothing; the file is the `job`."""
        ...
