"""Records the process that drives a run in the run's folder, and finds out whether it is alive."""

import os
import socket
from pathlib import Path

from pydantic import ValidationError

from craftc.schemas.frozen import Frozen
from craftc.training.foundation.atomic_file import write_atomically

FILE = "driver.json"
SUBMISSION_VARIABLE = "CRAFTC_SUBMISSION"
"""Set for a submitted run: the submission's id."""

# The time at which a process began is computed from the machine's, which may be set meanwhile.
SAME_START_S = 2.0


class Driver(Frozen):
    """`started_at` is in seconds since 1970: with `pid` it tells a process from a later one of the same number. `spec`
    is the file that is run, absolute; `backend` and `address` are what the command line said. None in runs of earlier
    versions."""

    host: str
    pid: int
    started_at: float
    submission: str | None = None
    spec: str | None = None
    backend: str | None = None
    address: str | None = None


def write_driver(
    run: Path, *, spec: Path | None = None, backend: str | None = None, address: str | None = None
) -> None:
    """Note this process as the driver of the run."""
    # Lazily, as what only compiles has no use for it.
    import psutil

    driver = Driver(
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=psutil.Process().create_time(),
        submission=os.environ.get(SUBMISSION_VARIABLE),
        spec=None if spec is None else str(spec.absolute()),
        backend=backend,
        address=address,
    )
    write_atomically(run / FILE, (driver.model_dump_json() + "\n").encode())


def read_driver(run: Path) -> Driver | None:
    """The latest driver of the run; None where none was noted."""
    try:
        return Driver.model_validate_json((run / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def began_at(run: Path) -> float:
    """When the run began, in seconds since 1970, whatever its folder's name says in whichever zone. Raises OSError."""
    driver = read_driver(run)
    # The plan is written when the run begins, and its process may have begun long before.
    return (run / "plan.json").stat().st_mtime if driver is None else driver.started_at


def is_here(driver: Driver) -> bool:
    """Whether the driver's machine is this one, so that its life can be told."""
    return driver.host == socket.gethostname()


def is_alive(driver: Driver) -> bool:
    """Whether the process is still there. The driver's machine must be this one."""
    import psutil

    try:
        process = psutil.Process(driver.pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return bool(alive and abs(process.create_time() - driver.started_at) < SAME_START_S)
    except psutil.NoSuchProcess:
        return False
