"""The record of a run that was handed to a cluster."""

from pydantic import Field

from craftc.schemas.frozen import Frozen


class Submission(Frozen):
    """A run that a cluster was asked for. `id` names what was submitted, `job` what the cluster calls this attempt.

    `cluster` is its kind, `ray`, `slurm` or `package.module:Name`, and with `address`, that of Ray's job server, what
    opens it again. `spec` is relative to `project`. `runs_dir` is a path on the cluster's machines. `submitted_at` is
    the local time, `YYYY-MM-DD HH:MM:SS`.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    cluster: str
    address: str | None = None
    job: str
    attempt: int = Field(1, ge=1)
    name: str
    project: str
    spec: str
    runs_dir: str
    submitted_at: str
