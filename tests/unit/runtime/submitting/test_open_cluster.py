"""What a submission on disk says, of today and of before, -> the cluster that it was sent to."""

import json
import sys
from pathlib import Path

import pytest

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.submitting.cluster import JobState
from craftc.runtime.submitting.open_cluster import OwnCluster, cluster_of
from craftc.runtime.submitting.slurm import SlurmCluster
from craftc.runtime.submitting.submissions import find_submission, read_submissions

# As they were written while there were two kinds of cluster.
BEFORE = [
    {
        "id": "warmup-47db4b2245b8", "cluster": "ray", "address": "http://127.0.0.1:1", "job": "warmup-47db4b2245b8.2",
        "attempt": 2, "name": "warmup", "project": "/p", "spec": "specs/warmup.yaml", "runs_dir": "/shared/runs",
        "submitted_at": "2026-11-21 04:30:57",
    },
    {
        "id": "warmup-j4", "cluster": "slurm", "address": None, "job": "4", "attempt": 1, "name": "warmup",
        "project": "/p", "spec": "specs/warmup.yaml", "runs_dir": "/shared/runs", "submitted_at": "2026-11-21 04:31:12",
    },
]  # fmt: skip


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "submissions"
    folder.mkdir(parents=True)
    for record in BEFORE:
        (folder / f"{record['id']}.json").write_text(json.dumps(record))
    return folder.parent


def test_submissions_of_before_are_read_and_lead_to_their_clusters(runs_dir: Path) -> None:
    ray, slurm = read_submissions(runs_dir)
    assert find_submission("4", runs_dir) == slurm
    assert isinstance(cluster_of(slurm), SlurmCluster)
    server = cluster_of(ray)
    assert getattr(server, "address", None) == "http://127.0.0.1:1"
    # It is asked once; what did not answer does not keep the next question waiting.
    for _ in range(2):
        with pytest.raises(BackendError, match="no Ray cluster answers"):
            server.status(ray.job)


OWN = """\
from craftc.runtime.submitting.cluster import JobState, Submitted

class Own:
    def __init__(self, runs_dir): self.runs_dir = runs_dir
    def submit(self, request): return Submitted("1")
    def status(self, job): return JobState(str(self.runs_dir)) if job == "1" else job
    def stop(self, job): raise OSError("the line is cut")
    def logs(self, job, write): write("a line")
"""


def test_one_of_the_users_own_is_found_in_the_specs_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "own_cluster_of_a_test.py").write_text(OWN)
    given = {**BEFORE[0], "cluster": "own_cluster_of_a_test:Own", "project": str(tmp_path), "runs_dir": "/r"}
    folder = tmp_path / "runs" / "submissions"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(given))
    cluster = cluster_of(read_submissions(tmp_path / "runs")[0])
    assert isinstance(cluster, OwnCluster)
    assert cluster.status("1") == JobState("/r")
    told: list[str] = []
    cluster.logs("1", told.append)
    assert told == ["a line"]
    with pytest.raises(BackendError, match=r"OSError: the line is cut \(own_cluster_of_a_test.py:7\)") as refused:
        cluster.stop("1")
    assert refused.value.code == "cluster-unusable"
    with pytest.raises(BackendError, match="answered '2' where a JobState is expected"):
        cluster.status("2")
