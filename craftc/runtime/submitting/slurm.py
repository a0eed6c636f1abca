"""Writes a batch script for Slurm, submits it, asks for the state of the job, and cancels it."""

import math
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.submitting.cluster import ENDS, GOING_ON, GONE, JobState, RunRequest, Submitted
from craftc.schemas.spec import Resources, Slurm

TEMPLATE = Path(__file__).with_name("slurm.sh")
COMMAND_TIMEOUT_S = 30.0
SUBMITTED = re.compile(r"(\d+)")
STATES = {
    "PENDING": "waiting", "CONFIGURING": "waiting", "RUNNING": "running", "COMPLETING": "running",
    "COMPLETED": "finished", "CANCELLED": "stopped", "FAILED": "failed", "TIMEOUT": "failed", "NODE_FAIL": "failed",
    "OUT_OF_MEMORY": "failed", "PREEMPTED": "stopped",
}  # fmt: skip
POLL_S = 1.0


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


class SlurmCluster:
    """The Slurm of this machine: a Cluster. Scripts and logs are in `<runs_dir>/slurm/`."""

    def __init__(self, runs_dir: Path) -> None:
        """`runs_dir`: the folder of results, which all nodes see."""
        self._folder = runs_dir / "slurm"

    def dry_run(self, request: RunRequest) -> Submitted:
        """Write the script that `submit` would give to sbatch."""
        script = self._folder / f"{request.name}_{time.strftime('%Y%m%d_%H%M%S')}.sh"
        script.parent.mkdir(parents=True, exist_ok=True)
        text = batch_script(
            request.resources, name=request.name, spec=request.spec, root=request.project, runs_dir=request.runs_dir
        )
        script.write_text(text, encoding="utf-8")
        return Submitted(str(script), notes=(f"wrote {script}",))

    def submit(self, request: RunRequest) -> Submitted:
        """Write a script and give it to sbatch; its nodes read the project where it is."""
        written = self.dry_run(request)
        if shutil.which("sbatch") is None:
            message = f'this machine has no "sbatch"; give {written.job} to the one of a login node'
            raise BackendError("slurm-missing", message)
        job = sbatch(Path(written.job))
        log = self._folder / f"{request.name}_j{job}.log"
        summary = f"submitted {request.spec} as Slurm job {job}; its log is {log}"
        return Submitted(job, f"{request.name}-j{job}", summary=summary, notes=written.notes)

    def status(self, job: str) -> JobState:
        """What Slurm says of a job, by the words of STATES; GONE where it does not know it any more."""
        try:
            answer = _command("scontrol", "show", "job", "--oneliner", job)
        except BackendError as error:
            # Some minutes after its end a job is forgotten, and asking for it is an error.
            if "Invalid job id" in error.message:
                return JobState(GONE)
            raise
        facts: dict[str, str] = dict(re.findall(r"(\w+)=(\S*)", answer))
        word = facts.get("JobState", "")
        code = int(facts.get("ExitCode", "").partition(":")[0] or 0)
        if word == "FAILED" and code == ENDS["stopped"]:
            return JobState("stopped", exit_code=code)
        state = STATES.get(word, word.lower())
        return JobState(state, exit_code=code if word == "FAILED" else None)

    def stop(self, job: str) -> bool:
        """Have a job end; whether it was going on. A running one's script is told, and stops its run itself."""
        state = self.status(job).state
        if state == "running":
            _command("scancel", "--batch", "--signal=TERM", job)
        elif state == "waiting":
            _command("scancel", job)
        return state in GOING_ON

    def logs(self, job: str, write: Callable[[str], None]) -> None:
        """Pass on what the job's log gains, until the job is over."""
        position, going_on = 0, True
        while going_on:
            going_on = self.status(job).state in GOING_ON
            for log in self._folder.glob(f"*_j{job}.log"):
                with log.open("rb") as file:
                    file.seek(position)
                    new = file.read()
                position += len(new)
                write(new.decode(errors="replace"))
            if going_on:
                time.sleep(POLL_S)


def sbatch(script: Path) -> str:
    """Submit a script; the job's number. Raises BackendError."""
    answer = _command("sbatch", "--parsable", str(script))
    found = SUBMITTED.match(answer)
    if found is None:
        raise BackendError("slurm-refused", f"sbatch answered {answer!r}, which is no job's number")
    return found[1]


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
