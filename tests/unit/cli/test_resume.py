"""craftc resume and what craftc status says of interrupted and silent runs."""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from craftc.cli.main import app

SPEC = """\
craftc: 1
name: NAME
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: cross_entropy
training: {epochs: 2, batch_size: 512, optimizer: {kind: sgd, lr: 0.1}}
ablation: {seeds: 2}
"""
SEARCH = """\
search:
  space: {training.optimizer.lr: {log_uniform: [1e-3, 1e-1]}}
  optimize: {metric: valid/loss, mode: min}
  sampler: {kind: random}
  trials: 2
"""


def craftc(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a search, and their specs."""
    folder = tmp_path_factory.mktemp("ran")
    for name, more in (("one", ""), ("two", ""), ("searched", SEARCH)):
        spec = SPEC.replace("NAME", name).replace("512", "256" if more else "512")
        (folder / f"{name}.yaml").write_text(spec + more)
        result = craftc(folder, "run", f"{name}.yaml", "--backend", "inline")
        assert result.exit_code == 0, result.output
        [run] = (folder / "runs" / name).iterdir()
        note(run, pid=2**22 + 1)
    return folder


def note(run: Path, **values: Any) -> None:
    """Change what is noted of a run's driver, which is the process of the tests."""
    path = run / "driver.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def here(ran: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran, tmp_path / "project"))


def run_of(here: Path, name: str) -> Path:
    [run] = (here / "runs" / name).glob("2*")
    return run


def interrupt(here: Path, name: str, **noted: Any) -> str:
    """As if the run had been killed before its last trial; that trial."""
    run = run_of(here, name)
    # `two` has the trials of `one`.
    trial: str = json.loads((run / "plan.json").read_text())["trials"][-1]["id"]
    (here / "runs" / "store" / trial / "result.json").unlink(missing_ok=True)
    note(run, spec=str(here / f"{name}.yaml"), **noted)
    return trial


def state(here: Path, name: str) -> dict[str, Any]:
    told = craftc(here, "status", name, "--format", "json")
    return dict(json.loads(told.stdout)["runs"][0])


def test_nothing_to_resume(here: Path) -> None:
    result = craftc(here, "resume")
    assert result.exit_code == 2
    assert result.stderr == 'no run in "runs" was interrupted; craftc status lists all\n'


def test_the_newest_run_by_its_beginning_goes_on_with_the_same_numbers(here: Path) -> None:
    right = craftc(here, "report", "two", "--format", "json").stdout
    trial = interrupt(here, "one", started_at=1000.0)
    interrupt(here, "two", started_at=2000.0)
    # In Tokyo a run is named nine hours later than one in London.
    run_of(here, "one").rename(here / "runs" / "one" / "29990101_000000")
    assert state(here, "two")["state"] == "interrupted"
    result = craftc(here, "resume")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("two/")
    assert "interrupted; 1 of 2 trials finished, 0 failed" in result.stderr
    assert "2 trials: 1 new" in result.stderr
    assert (here / "runs" / "store" / trial / "result.json").exists()
    assert craftc(here, "report", "two", "--format", "json").stdout == right
    latest = max((here / "runs" / "two").iterdir())
    assert (latest / "spec.yaml").read_text() == (here / "two.yaml").read_text()
    noted = json.loads((latest / "driver.json").read_text())
    assert (noted["spec"], noted["backend"]) == (str(here / "two.yaml"), "inline")


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_spec_that_changed_since_is_not_read(here: Path, change: str) -> None:
    interrupt(here, "one")
    spec = here / "one.yaml"
    if change == "changed":
        spec.write_text(spec.read_text().replace("epochs: 2", "epochs: 3"))
    else:
        spec.unlink()
    result = craftc(here, "resume", "one")
    assert result.exit_code == 0, result.output
    said = f"{spec} has changed since" if change == "changed" else f"{spec} is not there any more"
    assert said in result.stderr
    assert "are not those of the run any more" not in result.stderr
    assert state(here, "one")["finished"] == 2


def test_a_run_that_is_running_is_not_resumed(here: Path) -> None:
    interrupt(here, "one", pid=os.getpid())
    result = craftc(here, "resume", "one")
    assert result.exit_code == 2
    assert f"is running, as process {os.getpid()}; craftc stop one/" in result.stderr


def test_a_damaged_run_is_told(here: Path) -> None:
    interrupt(here, "one")
    path = run_of(here, "one") / "spec.resolved.yaml"
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 3"))
    result = craftc(here, "resume", "one")
    assert result.exit_code == 2
    assert "is damaged, as craftc verify says; run its spec again" in result.stderr


def test_status_counts_points_and_a_search_that_was_killed_is_interrupted(here: Path) -> None:
    assert state(here, "searched")["points"] == {"ended": 2, "asked": 2}
    assert state(here, "one")["points"] is None
    run = run_of(here, "searched")
    assert "points of the search: 2 of 2 ended" in craftc(here, "status", "searched").stdout
    # A kill leaves no search.json: they are counted in the study itself.
    (run / "search.json").unlink()
    assert state(here, "searched")["points"] == {"ended": 2, "asked": 2}
    (run / "study.db").unlink()
    assert (state(here, "searched")["points"], state(here, "searched")["state"]) == (
        {"ended": 0, "asked": 2},
        "interrupted",
    )
    told = craftc(here, "status", "searched").stdout
    assert f"craftc resume searched/{run.name} goes on with it" in told


def test_a_running_run_that_wrote_nothing_for_long_is_told_to_be_silent(here: Path) -> None:
    trial = interrupt(here, "one", pid=os.getpid())
    run = run_of(here, "one")
    assert state(here, "one")["silent_s"] < 600
    long_ago = time.time() - 5000
    for path in [*run.iterdir(), *(here / "runs" / "store" / trial).rglob("*")]:
        os.utime(path, (long_ago, long_ago))
    assert state(here, "one")["silent_s"] >= 5000
    assert f"one/{run.name}: running, silent for 1:23:" in craftc(here, "status", "one").stdout
    # A beat of its training is a sign of life.
    (here / "runs" / "store" / trial / "pulse.json").write_text("{}")
    assert state(here, "one")["silent_s"] < 600
