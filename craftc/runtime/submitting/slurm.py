"""Writes a batch script for Slurm, submits it, asks for the state of the job, and cancels it."""

import math
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from craftc.runtime.jobs.backend import BackendError
from craftc.schemas.spec import Resources, Slurm

TEMPLATE = Path(__file__).with_name("slurm.sh")
COMMAND_TIMEOUT_S = 30.0
SUBMITTED = re.compile(r"(\d+)")
STATES = {
    "PENDING": "waiting", "CONFIGURING": "waiting", "RUNNING": "running", "COMPLETING": "running",
    "COMPLETED": "finished", "CANCELLED": "stopped", "FAILED": "failed", "TIMEOUT": "failed", "NODE_FAIL": "failed",
    "OUT_OF_MEMORY": "failed", "PREEMPTED": "stopped",
}  # fmt: skip
GONE = "gone"
INTERRUPTED = 130
"""What the script exits with when it was told to stop."""


@dataclass(frozen=True)
class Asked:
    """What the batch job asks of each of its nodes."""

    nodes: int
    cpus: int
    gpus: int


def asked_of_slurm(resources: Resources) -> Asked:
    """Nodes as given; GPUs and CPUs as given, or as many as the trials that run there at the same time need.

    By default a node has the GPUs of its share of one trial's workers. On each node run as many workers as fit on its
    GPUs; without GPUs, its share of the workers of `max_concurrent` trials, or of one.
    """
    slurm = resources.slurm or Slurm()
    share = math.ceil(resources.workers / slurm.nodes)
    gpus = math.ceil(resources.gpus * share) if slurm.gpus_per_node is None else slurm.gpus_per_node
    if resources.gpus > 0:
        workers = max(1, int(gpus / resources.gpus))
    else:
        workers = math.ceil((resources.max_concurrent or 1) * resources.workers / slurm.nodes)
    return Asked(slurm.nodes, slurm.cpus_per_node or workers * resources.cpus, gpus)


def batch_script(resources: Resources, *, name: str, spec: str, root: Path, runs_dir: Path) -> str:
    """The script for sbatch. `spec` is relative to `root`, a folder that all nodes share, as is `runs_dir`."""
    asked, slurm = asked_of_slurm(resources), resources.slurm or Slurm()
    directives = {
        "job-name": name,
        "nodes": asked.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": asked.cpus,
        "gpus-per-node": asked.gpus or None,
        "time": slurm.time_limit,
        "partition": slurm.partition,
        "account": slurm.account,
        # Slurm reads a quoted value, and % as the beginning of a name that it fills in.
        "output": '"{}"'.format(str(runs_dir / "slurm" / f"{name}_j").replace("%", "%%") + "%j.log"),
        # A minute before the time is up, the script is told; the run then stops and can be resumed.
        "signal": "B:TERM@60",
    }
    values = {
        "DIRECTIVES": "\n".join(f"#SBATCH --{key}={value}" for key, value in directives.items() if value is not None),
        "PYTHON": shlex.quote(sys.executable),
        "ROOT": shlex.quote(str(root)),
        "SPEC": shlex.quote(spec),
        "RUNS_DIR": shlex.quote(str(runs_dir)),
        "NAME": name,
        "GPUS": str(asked.gpus),
    }
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], TEMPLATE.read_text(encoding="utf-8"))


def has_sbatch() -> bool:
    """Whether this machine can submit to a Slurm."""
    return shutil.which("sbatch") is not None


def sbatch(script: Path) -> str:
    """Submit a script; the job's number. Raises BackendError."""
    answer = _command("sbatch", "--parsable", str(script))
    found = SUBMITTED.match(answer)
    if found is None:
        raise BackendError("slurm-refused", f"sbatch answered {answer!r}, which is no job's number")
    return found[1]


def job_state(job: str) -> str:
    """What Slurm says of a job: one of STATES' values; GONE where it does not know it any more."""
    try:
        answer = _command("scontrol", "show", "job", "--oneliner", job)
    except BackendError as error:
        # Some minutes after its end a job is forgotten, and asking for it is an error.
        if "Invalid job id" in error.message:
            return GONE
        raise
    facts: dict[str, str] = dict(re.findall(r"(\w+)=(\S*)", answer))
    state = facts.get("JobState", "")
    if state == "FAILED" and facts.get("ExitCode") == f"{INTERRUPTED}:0":
        return "stopped"
    return STATES.get(state, state.lower())


def cancel(job: str) -> bool:
    """Have a job end; whether it was waiting or running. A running one's script is told, and stops its run itself."""
    state = job_state(job)
    if state == "running":
        _command("scancel", "--batch", "--signal=TERM", job)
    elif state == "waiting":
        _command("scancel", job)
    return state in ("running", "waiting")


def _command(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise BackendError("slurm-missing", f'this machine has no "{command[0]}"; run this where Slurm is') from None
    except subprocess.TimeoutExpired:
        raise BackendError("slurm-refused", f"{command[0]} gave no answer within {COMMAND_TIMEOUT_S:g} s") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BackendError("slurm-refused", f"{command[0]}: {said.removeprefix(f'{command[0]}: ')}")
    return done.stdout.strip()
