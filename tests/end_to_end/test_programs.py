"""A program of the user's own from a spec to the conclusion: searched and pruned, interrupted and resumed, tracked."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app

SPEC = """\
craftc: 1
name: roots
program: {kind: lab.roots:find, epochs: 6}
training: {early_stopping: {metric: valid/error, mode: min, patience: 4}}
evaluation: {select: {metric: valid/error, mode: min}}
"""
SEEDS = SPEC + "ablation: {seeds: 2, grid: {program.lr: [0.2, 0.4]}}\nreport: {metric: test/error, mode: min}\n"
SEARCH = SPEC + (
    "search:\n"
    "  space: {program.lr: {uniform: [0.01, 0.5]}}\n"
    "  optimize: {metric: valid/error, mode: min}\n"
    "  pruner: {kind: median, startup_trials: 3}\n"
    "  trials: 10\n"
)
LAB = '''\
import time

from craftc import Run

def find(run: Run, *, lr: float = 0.1, epochs: int = 6, seconds: float = 0.0, keeps: bool = True) -> None:
    """The square root of 2, by gradient descent.

    Args:
        lr: The learning rate.
    """
    state = run.state or {"epoch": 0, "x": 1.0 + run.seed / 10}
    while state["epoch"] < epochs:
        time.sleep(seconds)
        x = state["x"] - lr * (state["x"] ** 2 - 2) / 2
        state = {"epoch": state["epoch"] + 1, "x": x}
        print("epoch", state["epoch"], flush=True)
        run.report({"valid/error": abs(x - 2**0.5)}, state=state if keeps else None)
    run.finish({"test/error": abs(state["x"] ** 2 - 2)})
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "roots.py").write_text(LAB)
    (tmp_path / "seeds.yaml").write_text(SEEDS)
    (tmp_path / "search.yaml").write_text(SEARCH)
    return tmp_path


def craftc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In this process, which has torch already."""
    with contextlib.chdir(folder):
        result = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def results(project: Path) -> dict[tuple[str, int], dict[str, object]]:
    """What is kept of each trial of the latest run, by variant and seed; times and seals left out."""
    (run,) = sorted((project / "runs" / "roots").iterdir())[-1:]
    plan = json.loads((run / "plan.json").read_text())
    found = {}
    for trial in plan["trials"]:
        result = json.loads((project / "runs/store" / trial["id"] / "result.json").read_text())
        found[trial["variant"], trial["seed"]] = {**result, "seconds": 0, "seal": "", "history": ""}
    return found


def test_what_comes_after_training_does_not_know_the_difference(project: Path) -> None:
    checked = craftc(project, "check", "seeds.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "the program was imported and its arguments were built; it was not called" in checked.stderr
    assert re.search(r"^base +ready$", checked.stdout, re.MULTILINE), checked.stdout
    ran = craftc(project, "run", "seeds.yaml", "--backend", "inline")
    assert ran.returncode == 0, ran.stderr
    assert re.search(
        r"^\[1/6\] base seed 0: 6 records in \d:\d\d, best 6: test/error 0\.\d{4}$", ran.stderr, re.MULTILINE
    )
    assert "test/error (as the program reports it), lower is better" in ran.stdout
    assert re.search(r"^lr=0.4 +2/2 .* 6/6 ", ran.stdout, re.MULTILINE)
    assert "6 trials: 0 new, 6 reused" in craftc(project, "run", "seeds.yaml", "--backend", "inline").stderr
    for form in ("markdown", "json"):
        assert craftc(project, "report", "roots", "--format", form).returncode == 0
    assert craftc(project, "status").returncode == 0
    compared = craftc(project, "compare", "seeds.yaml", "search.yaml")
    assert compared.returncode == 0, compared.stderr
    listed = craftc(project, "clean", "--format", "json")
    assert json.loads(listed.stdout)["contents"]["trials"]["finished"] == 6


def test_a_search_prunes_what_it_reports(project: Path) -> None:
    ran = craftc(project, "run", "search.yaml", "--backend", "inline")
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"base#\d seed 0 \(lr=.*\): pruned at [1-5] records?: valid/error", ran.stderr)
    (search,) = (project / "runs/roots").glob("*/search.json")
    points = json.loads(search.read_text())["studies"][0]["points"]
    assert {point["state"] for point in points} == {"finished", "pruned"}
    assert len(points) == 11
    assert re.search(r"Of 10 points \d finished, \d pruned", " ".join(ran.stdout.split()))
    assert "records were made" in " ".join(ran.stdout.split())


def started(project: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", *arguments]
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_for_epoch(project: Path, epoch: int) -> list[Path]:
    """Until a program has printed it; the logs of all programs."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        logs = list(project.glob("runs/store/*/output.log"))
        if any(f"epoch {epoch}\n" in log.read_text() for log in logs):
            return logs
        time.sleep(0.05)
    raise AssertionError("no program came that far")


def processes_of(project: Path) -> list[int]:
    """Those of programs in the project's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"program_process" in (entry / "cmdline").read_bytes() and (entry / "cwd").resolve() == project:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("how", "keeps"), [(signal.SIGINT, True), (signal.SIGKILL, True), (signal.SIGKILL, False)])
def test_an_interrupted_run_ends_with_the_same_numbers(project: Path, how: signal.Signals, keeps: bool) -> None:
    whole = SPEC.replace("epochs: 6", f"epochs: 6, seconds: 0.3, keeps: {str(keeps).lower()}")
    (project / "slow.yaml").write_text(whole + "report: {metric: test/error, mode: min}\n")
    assert craftc(project, "run", "slow.yaml", "--backend", "inline", "--runs-dir", "whole").returncode == 0
    (project / "whole").rename(project / "runs")
    expected = results(project)
    (project / "runs").rename(project / "whole")

    driver = started(project, "run", "slow.yaml", "--backend", "inline")
    wait_for_epoch(project, 3)
    driver.send_signal(how)
    _, stderr = driver.communicate(timeout=300)
    assert driver.returncode == (130 if how is signal.SIGINT else -how), stderr
    deadline = time.monotonic() + 30
    while processes_of(project) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(project) == []
    resumed = craftc(project, "run", "slow.yaml", "--backend", "inline")
    assert resumed.returncode == 0, resumed.stderr
    anew = "warning: base seed 0: it begins anew, since the program handed over no state with its"
    assert (anew in resumed.stderr) is not keeps
    assert results(project) == expected
