"""What submitting, asking and stopping do where there is no cluster."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SPEC = """\
craftc: 1
name: here
data: {{source: {source}}}
model: {{kind: mlp, hidden: [8]}}
objective: cross_entropy
training: {{epochs: {epochs}, batch_size: 64, optimizer: sgd}}
"""


def write_spec(folder: Path, *, source: str = "digits", epochs: int = 1) -> Path:
    spec = folder / "here.yaml"
    spec.write_text(SPEC.format(source=source, epochs=epochs))
    return spec


@pytest.mark.parametrize("command", ["run", "submit"])
def test_an_address_where_nobody_answers_is_told_at_once(craftc_here, tmp_path, command, monkeypatch):
    """Without asking Ray, which would try for 20 to 80 s."""
    monkeypatch.setattr("ray.init", lambda *_, **__: pytest.fail("Ray is asked"))
    monkeypatch.setattr("ray.job_submission.JobSubmissionClient.__init__", lambda *_, **__: pytest.fail("Ray is asked"))
    write_spec(tmp_path)
    address = "127.0.0.1:1" if command == "run" else "http://127.0.0.1:1"
    done = craftc_here(tmp_path, command, "here.yaml", "--address", address)
    assert done.returncode == 1
    assert f'error[cluster-unreachable]: no Ray cluster answers at "{address}": Connection refused' in done.stderr


def test_a_url_is_no_address_to_run_on(craftc_here, tmp_path):
    write_spec(tmp_path)
    done = craftc_here(tmp_path, "run", "here.yaml", "--address", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert "craftc submit" in done.stderr


def test_mistakes_in_the_spec_are_told_here(craftc_here, tmp_path):
    write_spec(tmp_path, epochs=0)
    done = craftc_here(tmp_path, "submit", "here.yaml", "--address", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "here.yaml:6:" in done.stderr


def test_a_project_that_is_too_large_names_its_largest_files(craftc_here, tmp_path):
    write_spec(tmp_path)
    for name, mebibytes in (("a.bin", 30), ("b.bin", 75)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(mebibytes * 2**20)
    done = craftc_here(tmp_path, "submit", "here.yaml", "--address", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "error[project-too-large]" in done.stderr
    assert "b.bin (75.0 MiB), a.bin (30.0 MiB)" in done.stderr


def test_data_that_would_stay_behind_is_named(craftc_here, tmp_path):
    write_spec(tmp_path, source="{kind: arrays, path: data.npz}")
    np.savez(tmp_path / "data.npz", inputs=np.arange(80.0).reshape(40, 2), targets=np.arange(40) % 2)
    (tmp_path / ".gitignore").write_text("*.npz\n")
    done = craftc_here(tmp_path, "submit", "here.yaml", "--address", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert 'error[data-not-sent]: here.yaml reads "data.npz"' in done.stderr


def test_a_base_that_would_stay_behind_is_named(craftc_here, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    spec = write_spec(project)
    (tmp_path / "base.yaml").write_text("regularization: {dropout: 0.1}\n")
    spec.write_text(spec.read_text() + "extends: ../base.yaml\n")
    done = craftc_here(project, "submit", "here.yaml", "--address", "http://127.0.0.1:1", CRAFTC_INCLUDE=str(tmp_path))
    assert done.returncode == 1
    assert 'error[data-not-sent]: here.yaml reads "../base.yaml"' in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("--address", "http://h:1", "--slurm"), ("--slurm", "--cluster", "a:B"), ("--cluster", "slurm")]
)
def test_one_cluster_is_named(craftc_here, tmp_path, arguments):
    write_spec(tmp_path)
    assert craftc_here(tmp_path, "submit", "here.yaml", *arguments).returncode == 2


def test_a_run_here_is_known_and_stopped(craftc_here, environment, tmp_path):
    write_spec(tmp_path, epochs=100_000)
    # As a shell starts what is put into the background: deaf to Ctrl-C.
    process = subprocess.Popen(
        [sys.executable, "-m", "craftc", "run", "here.yaml", "--backend", "inline"],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("runs/store/*/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert re.search(r"^here/\S+ +running +0 +0 +1$", craftc_here(tmp_path, "status").stdout, re.MULTILINE)
    shown = craftc_here(tmp_path, "status", "here").stdout
    assert f"driver: process {process.pid} on" in shown

    stopping = subprocess.Popen([sys.executable, "-m", "craftc", "stop", "here"], cwd=tmp_path, env=environment)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert stopping.wait(600) == 0
    assert re.search(r"^here/\S+ +interrupted +0 +0 +1$", craftc_here(tmp_path, "status").stdout, re.MULTILINE)
    again = craftc_here(tmp_path, "stop", "here")
    assert again.returncode == 0
    assert "is not running" in again.stderr


def test_a_killed_run_is_not_taken_for_a_process_that_got_its_number(craftc, craftc_here, tmp_path):
    write_spec(tmp_path, epochs=1)
    assert craftc(tmp_path, "run", "here.yaml", "--backend", "inline").returncode == 0
    (record,) = tmp_path.glob("runs/here/*/driver.json")
    driver = json.loads(record.read_text())
    record.write_text(json.dumps(driver | {"pid": os.getpid()}))
    assert re.search(r"^here/\S+: finished$", craftc_here(tmp_path, "status", "here").stdout, re.MULTILINE)


def test_a_python_that_lacks_the_packages_says_so(environment, tmp_path):
    """What a submission meets whose `--python` is not Ray's: here one without site-packages."""
    command = [sys.executable, "-S", "-m", "craftc", "run", "here.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error[package-missing]: {sys.executable} has no package ")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_run_is_told(craftc_here, tmp_path):
    for command in ("status", "stop"):
        done = craftc_here(tmp_path, command, "nothing")
        assert done.returncode == 2
        assert 'no run "nothing"' in done.stderr
