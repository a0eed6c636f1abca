"""The name of a cluster, and what opens it -> the Cluster. None is imported before it is asked for."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from craftc.compiler.own_code.import_path import import_folders
from craftc.components.build import load_component
from craftc.components.own_line import told
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.submitting.cluster import RAY, SLURM, Cluster, JobState, RunRequest, Submitted
from craftc.runtime.worker.own_code import make_importable
from craftc.schemas.submission import Submission

T = TypeVar("T")
METHODS = ("submit", "status", "stop", "logs")


def open_cluster(
    kind: str, *, runs_dir: Path, spec: Path, address: str | None = None, python: str = "python"
) -> Cluster:
    """The cluster of that kind: RAY at an address, SLURM, or `package.module:Name` from the spec's import folders.

    One of the user's own is made with `runs_dir`, the folder of results, where it may keep files. `python` is that of
    a Ray cluster's machines. Raises BackendError where a cluster of the user's own cannot be made.
    """
    if kind == RAY:
        from craftc.runtime.submitting.job_server import JobServer

        return JobServer(address or "auto", python=python)
    if kind == SLURM:
        from craftc.runtime.submitting.slurm import SlurmCluster

        return SlurmCluster(runs_dir)
    return OwnCluster(kind, runs_dir, import_folders(spec))


def cluster_of(submission: Submission) -> Cluster:
    """The cluster that a submission was sent to. Raises BackendError."""
    spec = Path(submission.project) / submission.spec
    return open_cluster(submission.cluster, runs_dir=Path(submission.runs_dir), spec=spec, address=submission.address)


class OwnCluster:
    """A cluster of the user's own: whatever it raises is a BackendError, with the line that it came from."""

    def __init__(self, kind: str, runs_dir: Path, folders: Iterable[Path]) -> None:
        """Raises BackendError where there is no such class, or it lacks a method."""
        self._kind = kind
        make_importable(map(str, folders))
        self._cluster = self._call(lambda: load_component("clusters", kind)(runs_dir))
        missing = [name for name in METHODS if not callable(getattr(self._cluster, name, None))]
        if missing:
            message = f"{kind} has no {missing[0]}(), so it is no cluster: one has {', '.join(METHODS)}"
            raise BackendError("cluster-unusable", message)

    def submit(self, request: RunRequest) -> Submitted:
        """See Cluster.submit."""
        return self._expect(Submitted, lambda: self._cluster.submit(request))

    def status(self, job: str) -> JobState:
        """See Cluster.status."""
        return self._expect(JobState, lambda: self._cluster.status(job))

    def stop(self, job: str) -> bool:
        """See Cluster.stop."""
        return bool(self._call(lambda: self._cluster.stop(job)))

    def logs(self, job: str, write: Callable[[str], None]) -> None:
        """See Cluster.logs."""
        self._call(lambda: self._cluster.logs(job, write))

    def _expect(self, wanted: type[T], call: Callable[[], Any]) -> T:
        answer = self._call(call)
        if not isinstance(answer, wanted):
            message = f"{self._kind} answered {answer!r} where a {wanted.__name__} is expected"
            raise BackendError("cluster-unusable", message)
        return answer

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except BackendError:
            raise
        except Exception as error:
            # The boundary to the user's own code.
            raise BackendError("cluster-unusable", f"{self._kind}: {told(error)}") from error
