"""`run --address`, `submit`, `status` and `stop` on a real Ray cluster of two machines."""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.ray

SPEC = """\
craftc: 1
name: sent
data: {{source: {{kind: arrays, path: ../data/small.npz}}}}
model: {{kind: mlp, hidden: [8]}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: {epochs}, batch_size: 16, optimizer: {{kind: sgd, lr: {lr}}}}}
ablation: {{seeds: 2}}
"""
PYTHON = ("--python", sys.executable)


def write_project(folder: Path, *, epochs: int = 2, lr: str = "0.1") -> Path:
    """A project with data of its own, and with what is not to travel."""
    for name in ("specs", "data", "big"):
        (folder / name).mkdir()
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("big/\n*.npz\n")
    (folder / ".craftcignore").write_text("!data/small.npz\n")
    (folder / "big" / "weights.bin").write_bytes(bytes(1000))
    random = np.random.default_rng(0)
    inputs = random.normal(size=(60, 3, 4)).astype(np.float32)
    np.savez(folder / "data" / "small.npz", inputs=inputs, targets=np.arange(60) % 3)
    spec = folder / "specs" / "sent.yaml"
    spec.write_text(SPEC.format(epochs=epochs, lr=lr))
    return spec


def finished(runs_dir: Path) -> set[str]:
    return {path.parent.name for path in runs_dir.glob("store/*/result.json")}


OWN_METRIC = """\
class Where:
    mode = "max"
    identity = __file__

    def reset(self): pass
    def update(self, logits, targets): pass
    def compute(self): return 0.5
"""


@dataclass(frozen=True)
class Sent:
    """A project whose spec was run on the cluster to its end: how, with what output, and where its runs are."""

    command: tuple[str, ...]
    done: subprocess.CompletedProcess[str]
    project: Path
    runs: Path


@pytest.fixture(scope="module")
def sent(cluster, craftc, tmp_path_factory):
    """Sends a project with code of its own, of which .git alone says where it begins; once for each way."""

    @cache
    def send(way):
        folder = tmp_path_factory.mktemp(way)
        project, runs = folder / "project", folder / "shared"
        project.mkdir()
        spec = write_project(project)
        spec.write_text(spec.read_text().replace("[accuracy]", "[accuracy, lib.metrics:Where]"))
        (project / "pyproject.toml").unlink()
        (project / ".git").mkdir()
        (project / "lib").mkdir()
        (project / "lib" / "metrics.py").write_text(OWN_METRIC)
        command = {
            "run": ("run", "specs/sent.yaml", "--address", cluster.address, "--runs-dir", str(runs)),
            "submit": ("submit", "specs/sent.yaml", "--address", cluster.url, "--runs-dir", str(runs), *PYTHON),
        }[way]
        done = craftc(project, *command, *(["--follow"] if way == "submit" else []))
        assert done.returncode == 0, done.stderr + done.stdout
        return Sent(command, done, project, runs)

    return send


def test_run_uses_the_cluster_that_is_named(cluster, sent):
    runs = sent("run").runs
    assert len(finished(runs)) == 2
    assert "sent" in sent("run").done.stdout
    (log,) = runs.glob("sent/*/log")
    assert cluster.address.rpartition(":")[2] in log.read_text()
    # Nothing of the check, nor of Tune, stays in the store.
    left = {path.name for path in (runs / "store").iterdir()} - {"prepared"}
    assert left == finished(runs) | {".locks", "by_weights"}


@pytest.mark.parametrize("way", ["run", "submit"])
def test_code_of_the_projects_own_travels(sent, way):
    """Every worker imports it from what was sent, also where .git alone says where the project begins."""
    results = [json.loads(path.read_text()) for path in sent(way).runs.glob("store/*/result.json")]
    assert len(results) == 2
    for result in results:
        assert result["best"]["test/Where"] == 0.5
        assert "working_dir_files" in result["identities"]["Where"]


def test_a_folder_that_the_machines_do_not_share_is_refused_before_anything_runs(cluster, craftc, tmp_path):
    spec = write_project(tmp_path)
    # One path, and for every process another folder: what a local disk is to the machines of a cluster.
    done = craftc(tmp_path, "run", str(spec), "--address", cluster.address, "--runs-dir", "/proc/self/cwd/runs")
    assert done.returncode == 1
    assert "error[runs-dir-not-shared]" in done.stderr
    assert 'does not share "/proc/self/cwd/runs/store"' in done.stderr
    # No trial; the digest of a file is kept when it is two seconds old.
    assert {path.name for path in tmp_path.glob("runs/store/*")} <= {"prepared", "digests.json"}


def test_a_submission_carries_its_project_and_is_one_job_however_often_it_is_sent(cluster, craftc, sent):
    first, project, runs = sent("submit").done, sent("submit").project, sent("submit").runs
    assert "submitted specs/sent.yaml with 3 files" in first.stderr
    assert "test/accuracy" in first.stdout
    assert len(finished(runs)) == 2
    name = first.stdout.splitlines()[0]
    record = json.loads((runs / "submissions" / f"{name}.json").read_text())
    assert (record["job"], record["address"], record["spec"]) == (name, cluster.url, "specs/sent.yaml")

    again = craftc(project, *sent("submit").command)
    assert again.returncode == 0
    assert f"submitted before, and finished: {name}" in again.stderr
    assert again.stdout == f"{name}\n"
    assert len(list(runs.glob("sent/*/plan.json"))) == 1

    status = craftc(project, "status", name, "--runs-dir", str(runs))
    assert status.returncode == 0
    assert f"{name}: finished" in status.stdout
    assert "trials: 2 finished, 0 failed, 2 in all" in status.stdout


def test_follow_ends_as_the_run_does(cluster, craftc, tmp_path):
    write_project(tmp_path, lr="1e30")
    done = craftc(tmp_path, "submit", "specs/sent.yaml", "--address", cluster.url, *PYTHON, "--follow")
    assert done.returncode == 3, done.stderr + done.stdout
    assert "nan-loss" in done.stdout
    listed = craftc(tmp_path, "status")
    assert re.search(r"^sent/\S+ +some failed +0 +2 +2$", listed.stdout, re.MULTILINE)


def test_a_submission_is_stopped_and_begun_again(cluster, craftc, tmp_path):
    write_project(tmp_path, epochs=100_000)
    command = ("submit", "specs/sent.yaml", "--address", cluster.url, *PYTHON)
    name = craftc(tmp_path, *command).stdout.strip()
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("runs/store/*/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert f"{name}: running" in craftc(tmp_path, "status", name).stdout
    assert re.search(r"^sent/\S+ +running +0 +0 +2$", craftc(tmp_path, "status").stdout, re.MULTILINE)
    assert "submitted before, and running" in craftc(tmp_path, *command).stderr

    stopped = craftc(tmp_path, "stop", name)
    assert stopped.returncode == 0
    assert f"{name}: stopped" in stopped.stderr
    status = craftc(tmp_path, "status", name).stdout
    assert f"{name}: stopped" in status
    assert re.search(r"^run: sent/\S+: interrupted; trials: 0 finished", status, re.MULTILINE)
    assert "is not running" in craftc(tmp_path, "stop", name).stderr

    again = craftc(tmp_path, *command)
    assert "attempt 2" in again.stderr
    assert again.stdout.strip() == name
    assert f"job: {name}.2 on" in craftc(tmp_path, "status", name).stdout
    assert craftc(tmp_path, "stop", f"{name}.2").returncode == 0


def test_without_the_token_the_cluster_refuses(cluster, craftc, tmp_path):
    write_project(tmp_path)
    done = craftc(tmp_path, "submit", "specs/sent.yaml", "--address", cluster.url, HOME=str(tmp_path))
    assert done.returncode == 1
    assert "error[cluster-refused]" in done.stderr
    assert "token" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
