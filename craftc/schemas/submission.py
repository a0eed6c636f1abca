"""The record of a run that was handed to a cluster."""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen


class Submission(Frozen):
    """A run that a cluster was asked for. `id` names what was submitted, `job` what the cluster calls this attempt.

    `spec` is relative to `project`. `runs_dir` is a path on the cluster's machines, `address` that of Ray's job server,
    None for Slurm. `submitted_at` is the local time, `YYYY-MM-DD HH:MM:SS`.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    cluster: Literal["ray", "slurm"]
    address: str | None = None
    job: str
    attempt: int = Field(1, ge=1)
    name: str
    project: str
    spec: str
    runs_dir: str
    submitted_at: str
