"""A cluster of one machine, this one: each run is a process that outlives the terminal it was submitted from."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from craftc.runtime.submitting.cluster import JobState, RunRequest, Submitted

# The shell outlives a signal that is meant for the run, and keeps what the run exits with.
KEEP_EXIT_CODE = 'trap : TERM; file=$1; shift; "$@"; echo $? > "$file"'
STATES = {0: "finished", 128 + signal.SIGINT: "stopped", 128 + signal.SIGTERM: "stopped"}


class ThisMachine:
    """A job is called by the number of its process; its log and its exit code are in `<runs-dir>/jobs/`."""

    def __init__(self, runs_dir: Path) -> None:
        self.folder = runs_dir / "jobs"

    def submit(self, request: RunRequest) -> Submitted:
        """Begin the run, and do not wait for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log, code = self.folder / f"{request.id}.log", self.folder / f"{request.id}.exit"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-c", KEEP_EXIT_CODE, "sh", str(code), *request.command, "--backend", "inline"],
                cwd=request.project,
                env=os.environ | request.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Submitted(
            f"{request.id}.{process.pid}", summary=f"began {request.spec} as process {process.pid}; its log is {log}"
        )

    def status(self, job: str) -> JobState:
        """The exit code where there is one; else whether the process lives."""
        name, _, number = job.rpartition(".")
        file = self.folder / f"{name}.exit"
        if file.is_file() and (text := file.read_text().strip()):
            code = int(text)
            return JobState(STATES.get(code, "failed"), exit_code=code)
        return JobState("running") if is_alive(int(number)) else JobState("gone", "its process was killed")

    def stop(self, job: str) -> bool:
        """Ask the run to end, which it does where it can be gone on with."""
        is_running = self.status(job).state == "running"
        if is_running:
            os.killpg(int(job.rpartition(".")[2]), signal.SIGTERM)
        return is_running

    def logs(self, job: str, write: Callable[[str], None]) -> None:
        """Pass on what the log gains, until the job is over."""
        with (self.folder / f"{job.rpartition('.')[0]}.log").open(encoding="utf-8") as file:
            is_running = True
            while is_running:
                is_running = self.status(job).state == "running"
                write(file.read())
                time.sleep(0.2 if is_running else 0)


def is_alive(process: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
