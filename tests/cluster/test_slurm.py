"""`submit --slurm`: the script is sound, and runs the spec on a real Ray of two machines.

`srun` and `scontrol` are stand-ins here: the first runs its command on this machine, the second names two nodes.
"""

import os
import random
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from craftc.runtime.on_ray.sweeper import sweep
from craftc.runtime.submitting.slurm import Asked, asked_of_slurm, batch_script
from craftc.schemas.spec import Resources

SPEC = """\
craftc: 1
name: batch
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: cross_entropy
training: {epochs: 1, batch_size: 64, optimizer: sgd}
ablation: {seeds: 2}
resources: {max_concurrent: 2, slurm: {nodes: 2, time_limit: "00:05:00", partition: cpu, account: lab}}
"""
STAND_INS = {
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "scontrol": """case "$2" in
    hostnames) echo node1; echo node2;;
    job) echo "JobId=$4 JobState=$(cat "$STATE") ExitCode=130:0";;
    esac""",
    "sbatch": "echo 71",
    "scancel": 'echo FAILED > "$STATE"; echo "$@" > "$STATE.told"',
}


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def project(folder: Path) -> Path:
    path = folder / "a project"
    path.mkdir()
    (path / "pyproject.toml").touch()
    (path / "batch.yaml").write_text(SPEC)
    return path


def directives(script: str) -> dict[str, str]:
    return dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.MULTILINE))


@pytest.mark.ray
def test_the_script_runs_the_spec_and_leaves_nothing(craftc_here, environment, bin_folder, tmp_path, request):
    root = project(tmp_path)
    written = craftc_here(root, "submit", "batch.yaml", "--slurm", "--dry-run")
    assert written.returncode == 0, written.stderr
    script = Path(written.stdout.strip())
    assert script.parent == root / "runs" / "slurm"
    checked = subprocess.run([Path(sys.executable).with_name("shellcheck"), script], capture_output=True, text=True)
    assert checked.stdout == ""
    assert checked.returncode == 0

    job = random.randrange(10**6, 10**7)
    # Were it cut off, its Rays would go on and slow down every test that follows.
    request.addfinalizer(partial(sweep, Path(f"/tmp/craftc-{job}"), spare=os.getpid()))
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    slurm = {"SLURM_JOB_ID": str(job), "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_CPUS_PER_TASK": "1", "PATH": path}
    done = subprocess.run(
        ["bash", script],
        cwd=tmp_path,
        env=environment | slurm,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 machines have joined" in done.stderr
    assert "baseline" in done.stdout
    (run,) = root.glob("runs/batch/*/plan.json")
    assert re.fullmatch(rf"\d{{8}}_\d{{6}}_j{job}", run.parent.name)
    assert len(list(root.glob("runs/store/*/result.json"))) == 2
    assert not Path(f"/tmp/craftc-{job}").exists()
    told = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"/tmp/craftc-{job}/" not in told


def test_what_is_asked_for_stands_in_the_script(tmp_path):
    resources = Resources(gpus=0.5, cpus=3, slurm={"nodes": 4, "gpus_per_node": 2, "time_limit": "1-02:00:00"})
    text = batch_script(resources, name="x", spec="a b.yaml", root=tmp_path, runs_dir=tmp_path / "50%")
    assert directives(text) == {
        "job-name": "x", "nodes": "4", "ntasks-per-node": "1", "cpus-per-task": "12", "gpus-per-node": "2",
        "time": "1-02:00:00", "output": f'"{tmp_path}/50%%/slurm/x_j%j.log"', "signal": "B:TERM@60",
    }  # fmt: skip
    assert "spec='a b.yaml'" in text
    assert "--num-gpus=2" in text
    assert "@" not in re.sub(r"B:TERM@60|\[@\]", "", text)


@pytest.mark.parametrize(
    ("resources", "asked"),
    [
        ({}, Asked(nodes=1, cpus=1, gpus=0)),
        ({"cpus": 2, "max_concurrent": 5, "slurm": {"nodes": 2}}, Asked(nodes=2, cpus=6, gpus=0)),
        ({"gpus": 0.25, "cpus": 2}, Asked(nodes=1, cpus=8, gpus=1)),
        ({"gpus": 2, "slurm": {"gpus_per_node": 8, "cpus_per_node": 64}}, Asked(nodes=1, cpus=64, gpus=8)),
        ({"workers": 2, "cpus": 4}, Asked(nodes=1, cpus=8, gpus=0)),
        ({"workers": 3, "gpus": 1, "cpus": 4, "slurm": {"nodes": 2}}, Asked(nodes=2, cpus=8, gpus=2)),
        ({"workers": 2, "max_concurrent": 2, "slurm": {"nodes": 4}}, Asked(nodes=4, cpus=1, gpus=0)),
    ],
)
def test_a_node_holds_the_trials_that_run_on_it(resources, asked):
    assert asked_of_slurm(Resources(**resources)) == asked


def test_a_job_is_remembered_asked_after_and_stopped(craftc_here, bin_folder, tmp_path):
    root = project(tmp_path)
    state = tmp_path / "state"
    env = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "STATE": str(state)}
    sent = craftc_here(root, "submit", "batch.yaml", "--slurm", **env)
    assert (sent.returncode, sent.stdout) == (0, "batch-j71\n"), sent.stderr
    for word, shown in (
        ("COMPLETED", "finished"),
        ("TIMEOUT", "failed"),
        ("PENDING", "waiting"),
        ("RUNNING", "running"),
    ):
        state.write_text(word)
        assert f"batch-j71: {shown}" in craftc_here(root, "status", "71", **env).stdout
    assert "batch-j71: stopped" in craftc_here(root, "stop", "batch-j71", **env).stderr
    assert (tmp_path / "state.told").read_text() == "--batch --signal=TERM 71\n"
    assert "batch-j71: stopped" in craftc_here(root, "status", "batch-j71", **env).stdout
    assert "is not running" in craftc_here(root, "stop", "batch-j71", **env).stderr


def test_a_jobs_log_is_followed_to_its_end(craftc_here, bin_folder, tmp_path):
    root = project(tmp_path)
    state = tmp_path / "state"
    env = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "STATE": str(state)}
    log = root / "runs" / "slurm" / "batch_j71.log"
    log.parent.mkdir(parents=True)
    log.write_text("2 of 2 machines have joined\n")
    for word, end, code in (("COMPLETED", "finished", 0), ("FAILED", "stopped", 130), ("TIMEOUT", "failed", 1)):
        state.write_text(word)
        sent = craftc_here(root, "submit", "batch.yaml", "--slurm", "--follow", **env)
        assert (sent.returncode, sent.stdout) == (code, "batch-j71\n2 of 2 machines have joined\n"), sent.stderr
        assert f"71: {end}" in sent.stderr


def test_without_slurm_the_script_is_written_and_the_way_on_told(craftc_here, tmp_path):
    root = project(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = craftc_here(root, "submit", "batch.yaml", "--slurm", PATH=str(empty))
    assert done.returncode == 1
    assert "error[slurm-missing]" in done.stderr
    (script,) = (root / "runs" / "slurm").glob("batch_*.sh")
    assert str(script) in done.stderr
