"""craftc verify as its user meets it, on a store that has everything: what it says, what it mends, what it leaves."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from craftc.cli.main import app
from craftc.runtime.store.run_folder import runs_of

runner = CliRunner()


def verify(runs_dir: Path, *arguments: str) -> Result:
    return runner.invoke(app, ["verify", "--runs-dir", str(runs_dir), *arguments])


def as_json(runs_dir: Path, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(verify(runs_dir, *arguments, "--format", "json").stdout))


def a_trial(runs_dir: Path) -> Path:
    return min((runs_dir / "store").glob("*/result.json")).parent


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts}


def unseal(runs_dir: Path) -> None:
    """All files as an earlier version of craftc wrote them."""
    for path in runs_dir.rglob("*"):
        if path.suffix in (".json", ".yaml"):
            kept = [
                line for line in path.read_text().splitlines(keepends=True) if not re.match(r' *"seal"|# seal:', line)
            ]
            kept = [line for line in kept if not (path.name == "result.json" and line.startswith('  "history"'))]
            path.write_text("".join(kept))
        elif path.name == "metrics.jsonl":
            path.write_text(re.sub(r', "seal": "\w{64}"', "", path.read_text()))


def test_a_sound_store(runs_dir: Path) -> None:
    before = snapshot(runs_dir)
    result = verify(runs_dir)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(
        r"\d+ trials, \d+ runs? and \d+ sets? of prepared data: \d+ files sound, 0 damaged\n", result.stdout
    )
    assert verify(runs_dir, "--fix").exit_code == 0
    assert snapshot(runs_dir) == before


def test_a_damaged_result_is_named_and_put_aside(runs_dir: Path) -> None:
    trial = a_trial(runs_dir)
    change(trial / "result.json", '"steps": ', '"steps": 1')
    name = f"store/{trial.name}/result.json"
    told = verify(runs_dir)
    assert told.exit_code == 1
    assert f"{name}: does not have the SHA-256 of its seal; --fix renames it to result.json.damaged\n" in told.stdout
    [file] = as_json(runs_dir)["files"]
    assert (file["path"], file["state"], file["mend"], file["mended"]) == (name, "damaged", "set-aside", False)

    mended = verify(runs_dir, "--fix")
    assert mended.exit_code == 0
    assert f"{name}: does not have the SHA-256 of its seal; renamed to result.json.damaged\n" in mended.stdout
    assert not (trial / "result.json").exists()
    assert (trial / "result.json.damaged").exists()
    assert as_json(runs_dir)["files"] == []


def test_a_configuration_is_written_again_from_a_plan(runs_dir: Path) -> None:
    path = a_trial(runs_dir) / "config.json"
    right = path.read_bytes()
    path.write_bytes(right[:-5])
    assert verify(runs_dir).exit_code == 1
    assert verify(runs_dir, "--fix").exit_code == 0
    assert path.read_bytes() == right


def test_a_plan_is_not_mended_and_says_so(runs_dir: Path) -> None:
    run = next(run for folder in runs_dir.iterdir() for run in runs_of(folder))
    change(run / "plan.json", '"folded": 0', '"folded": 1')
    for arguments in ([], ["--fix"]):
        result = verify(runs_dir, *arguments)
        assert result.exit_code == 1
        assert "plan.json: does not have the SHA-256 of its seal; " in result.stdout


def test_a_trial_that_is_trained_now_stays(runs_dir: Path) -> None:
    trial = a_trial(runs_dir)
    change(trial / "result.json", '"steps": ', '"steps": 1')
    before = snapshot(trial)
    with FileLock(runs_dir / "store" / ".locks" / trial.name):
        result = verify(runs_dir, "--fix")
    assert result.exit_code == 1
    assert "it stays: it is being trained" in result.stdout
    assert snapshot(trial) == before


def test_one_run_is_checked_with_its_own_trials_alone(runs_dir: Path) -> None:
    run = next(run for folder in runs_dir.iterdir() for run in runs_of(folder))
    named = {trial["id"] for trial in json.loads((run / "plan.json").read_text())["trials"]}
    health = as_json(runs_dir, f"{run.parent.name}/{run.name}")
    assert (health["trials"], health["runs"], health["files"]) == (len(named), 1, [])


@pytest.mark.parametrize("name", ["nothing/here", "nothing"])
def test_no_such_run(runs_dir: Path, name: str) -> None:
    assert verify(runs_dir, name).exit_code == 2


def test_no_such_folder(tmp_path: Path) -> None:
    result = verify(tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "name the folder of results with --runs-dir" in result.stderr


def test_files_of_an_earlier_version_are_read_and_told_of_once(runs_dir: Path) -> None:
    run = next(run for folder in runs_dir.iterdir() for run in runs_of(folder))
    name = f"{run.parent.name}/{run.name}"
    report = ["report", name, "--runs-dir", str(runs_dir), "--format", "json"]
    right = runner.invoke(app, report).stdout
    unseal(runs_dir)
    told = verify(runs_dir)
    assert told.exit_code == 0
    assert told.stdout.count("\n") == 1
    assert "of an earlier version without a seal; --fix seals them" in told.stdout
    result = runner.invoke(app, report)
    assert (result.stdout, result.stderr) == (right, "")

    spec = run.parent.parent.parent / "spec.yaml"
    shutil.copyfile(run / "spec.yaml", spec)
    planned = runner.invoke(app, ["plan", str(spec), "--runs-dir", str(runs_dir)])
    assert len(re.findall(r"reused results? of an earlier version of craftc", planned.stderr)) == 1
    assert " 0 new" in planned.stdout

    assert verify(runs_dir, "--fix").exit_code == 0
    assert as_json(runs_dir)["files"] == []
    assert runner.invoke(app, report).stdout == right
    assert "earlier version" not in runner.invoke(app, ["plan", str(spec), "--runs-dir", str(runs_dir)]).stderr
