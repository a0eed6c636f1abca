"""Submits a packed project to Ray's job server, asks for the state of the job, and stops it."""

import asyncio
import base64
import json
import logging
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import craftc
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.auth_token import use_auth_token
from craftc.runtime.on_ray.check_reachable import check_reachable
from craftc.runtime.on_ray.describe_packed import listing, notes
from craftc.runtime.on_ray.project_files import Packed, digest, pack, stage
from craftc.runtime.store.driver_process import SUBMISSION_VARIABLE
from craftc.runtime.submitting.cluster import ENDS, GONE, JobState, RunRequest, Submitted
from craftc.secret_text import bare_address

# Before ray is imported: what follows reads the setting once.
use_auth_token()

import requests  # noqa: E402
from ray.exceptions import RayError  # noqa: E402
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient  # noqa: E402

HEADERS = "RAY_JOB_HEADERS"
STATES = {
    JobStatus.PENDING: "waiting",
    JobStatus.RUNNING: "running",
    JobStatus.SUCCEEDED: "finished",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "stopped",
}


class JobServer:
    """The job server of a Ray cluster: a Cluster. It is connected to when it is first asked for something."""

    def __init__(self, address: str, *, python: str = "python") -> None:
        """`address`: `http://host:8265`, or what `ray.init` takes: `ray://host:10001`, `host:6379`, `auto`. `python` is
        that of the cluster's machines. A user and password in it are sent as a header, and neither stored nor shown.
        Raises BackendError where the address has more than a scheme, a host, a port and a path."""
        self.address = bare_address(address)
        self._headers = _headers(address)
        self._python = python
        self._connected: JobSubmissionClient | BackendError | None = None

    def submit(self, request: RunRequest) -> Submitted:
        """Have the project's files sent and the spec run there, unless it is or was so already.

        A job that failed or was stopped is begun again, as the next attempt. Raises BackendError too where the project
        is too large to be sent, or the spec reads what would stay behind.
        """
        packed = pack(request.project / request.spec, request.runs_dir)
        _check_all_travels(request, packed)
        warnings = notes(packed)
        submission = submission_id(request.name, packed, str(request.runs_dir))
        with _plain_errors(self.address):
            attempts = self._attempts(submission)
            if attempts and attempts[-1].status not in (JobStatus.FAILED, JobStatus.STOPPED):
                job, state = str(attempts[-1].submission_id), STATES[attempts[-1].status]
                return Submitted(job, submission, len(attempts), is_new=False, state=state, notes=warnings)
            attempt = len(attempts) + 1
            job = _job_name(submission, attempt)
            with tempfile.TemporaryDirectory(prefix="craftc-") as folder:
                self._client.submit_job(
                    entrypoint=_entrypoint(packed.spec, str(request.runs_dir), self._python),
                    submission_id=job,
                    runtime_env=_runtime_env(packed, Path(folder), submission),
                    metadata={"craftc_submission": submission, "craftc_spec": packed.spec},
                )
        num_files = f"{len(packed.files):,} file{'' if len(packed.files) == 1 else 's'}"
        size = f"{num_files}, {packed.num_bytes / 2**10:.1f} KiB{f', attempt {attempt}' if attempt > 1 else ''}"
        return Submitted(job, submission, attempt, summary=f"submitted {packed.spec} with {size}", notes=warnings)

    def dry_run(self, request: RunRequest) -> Submitted:
        """List the files that `submit` would send, and those that would stay; the list is the `job`."""
        packed = pack(request.project / request.spec, request.runs_dir)
        _check_all_travels(request, packed)
        return Submitted(listing(packed), notes=notes(packed))

    def status(self, job: str) -> JobState:
        """What became of a job."""
        with _plain_errors(self.address):
            details = self._details(job)
        if details is None:
            return JobState(GONE, "the cluster does not know it: it was restarted, or is another")
        return JobState(STATES[details.status], _reason(details), _exit_code(details))

    def logs(self, job: str, write: Callable[[str], None]) -> None:
        """Pass on the job's log as it grows, until the job is over."""
        with _plain_errors(self.address):
            asyncio.run(_tail(self._client, job, write))

    def stop(self, job: str) -> bool:
        """Have the job end; whether it was still going. Its driver is asked first, and killed after some seconds."""
        with _plain_errors(self.address):
            details = self._details(job)
            if details is None or details.status.is_terminal():
                return False
            return bool(self._client.stop_job(job))

    @property
    def _client(self) -> JobSubmissionClient:
        """Connected once; a cluster that did not answer is not asked again."""
        if self._connected is None:
            try:
                self._connected = _connect(self.address, self._headers)
            except BackendError as error:
                self._connected = error
        if isinstance(self._connected, BackendError):
            raise self._connected
        return self._connected

    def _attempts(self, submission: str) -> list[JobDetails]:
        """The jobs of a submission, the first first."""
        jobs = {str(details.submission_id): details for details in self._client.list_jobs()}
        found: list[JobDetails] = []
        while details := jobs.get(_job_name(submission, len(found) + 1)):
            found.append(details)
        return found

    def _details(self, job: str) -> JobDetails | None:
        return next((details for details in self._client.list_jobs() if details.submission_id == job), None)


def _headers(address: str) -> dict[str, str]:
    """What authorizes: RAY_JOB_HEADERS, as of Ray's own job commands, and the user and password of the address."""
    try:
        headers = {str(name): str(value) for name, value in json.loads(os.environ.get(HEADERS) or "{}").items()}
    except (AttributeError, ValueError):
        message = f'{HEADERS} is no JSON object such as {{"Authorization": "Bearer ..."}}'
        raise BackendError("cluster-unreachable", message) from None
    scheme, _, rest = address.rpartition("://")
    user, at, host = rest.rpartition("@")
    if "?" in host or "#" in host:
        message = (
            f'an address has no query; what authorizes is read from {HEADERS}; the address is "{bare_address(address)}"'
        )
        raise BackendError("cluster-unreachable", message)
    if at and scheme in ("http", "https"):
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    return headers


def _connect(address: str, headers: dict[str, str]) -> JobSubmissionClient:
    # It tells of every upload, and its own modules at a level of their own.
    for module in ("ray", *(part.__module__ for part in JobSubmissionClient.__mro__)):
        logging.getLogger(module).setLevel(logging.ERROR)
    check_reachable(address)
    with _plain_errors(address), _address_from_us_alone():
        return JobSubmissionClient(address, headers=headers or None)


def _check_all_travels(request: RunRequest, packed: Packed) -> None:
    """Raise BackendError where what the spec reads within its project is not among the files sent."""
    sent = {packed.root / name for name in packed.files}
    own = Path(craftc.__file__).resolve().parent  # travels too, with the search spaces that come with it
    for name, file in request.reads.items():
        found = file.resolve()
        if found.is_relative_to(own):
            continue
        if found not in sent and not any(found in other.parents for other in sent):
            raise BackendError("data-not-sent", f'{packed.spec} reads "{name}", which is not among the files sent')


def submission_id(name: str, packed: Packed, runs_dir: str) -> str:
    """What names this spec with these files, run by this craftc into this place."""
    total = sha256(f"{digest(packed)}\n{runs_dir}\n{digest(_own_package())}".encode())
    return f"{name}-{total.hexdigest()[:12]}"


def _job_name(submission: str, attempt: int) -> str:
    return submission if attempt == 1 else f"{submission}.{attempt}"


def _own_package() -> Packed:
    """This craftc: it travels, so that what was linted here is what runs there."""
    root = Path(craftc.__file__).parent
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = tuple(sorted(path.relative_to(root).as_posix() for path in files))
    return Packed(root, "__init__.py", names, (), sum(path.stat().st_size for path in files))


def _runtime_env(packed: Packed, folder: Path, submission: str) -> dict[str, object]:
    project, package = folder / "project", folder / "craftc"
    stage(packed, project)
    stage(_own_package(), package)
    return {
        "working_dir": str(project),
        "py_modules": [str(package)],
        "env_vars": {SUBMISSION_VARIABLE: submission},
    }


def _entrypoint(spec: str, runs_dir: str, python: str) -> str:
    # exec: Ray's signal to stop is to reach the driver, not a shell around it.
    arguments = [python, "-m", "craftc", "run", spec, "--address", "auto", "--runs-dir", runs_dir]
    return "exec " + shlex.join(arguments)


def _exit_code(details: JobDetails) -> int | None:
    match details.status:
        case JobStatus.SUCCEEDED:
            return 0
        case JobStatus.FAILED:
            return details.driver_exit_code or 1
        case JobStatus.STOPPED:
            return ENDS["stopped"]
    return None


def _reason(details: JobDetails) -> str:
    """The first line of what Ray says of a job that failed; its log tells the rest."""
    if details.status is not JobStatus.FAILED:
        return ""
    return (details.message or "").partition(", last available logs")[0].partition("\n")[0]


async def _tail(client: JobSubmissionClient, job: str, write: Callable[[str], None]) -> None:
    async for lines in client.tail_job_logs(job):
        write(lines)


@contextmanager
def _plain_errors(address: str) -> Iterator[None]:
    """Ray's errors, and those of its HTTP client, as one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, RayError, requests.RequestException) as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        # The server answers with a traceback, whose last line says what is wrong.
        sentence = lines[-1] if lines and "Traceback" in lines[0] else "".join(lines[:1])
        raise BackendError("cluster-refused", f'the Ray cluster at "{address}" refused: {sentence}') from error


@contextmanager
def _address_from_us_alone() -> Iterator[None]:
    """Without the variables by which Ray's job client would take another cluster than the one it is given."""
    names = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
