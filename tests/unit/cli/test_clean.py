"""craftc clean as its user meets it: told without a flag, and nothing gone that was not asked for."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from filelock import FileLock

from craftc.cli.main import app
from craftc.runtime.store.run_folder import runs_of
from craftc.runtime.store.store import Store

runner = CliRunner()


def clean(runs_dir: Path, *arguments: str, exit_code: int = 0, answer: str | None = None) -> Any:
    result = runner.invoke(app, ["clean", "--runs-dir", str(runs_dir), *arguments], input=answer)
    assert result.exit_code == exit_code, result.output
    return result


def as_json(runs_dir: Path, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(clean(runs_dir, *arguments, "--format", "json").stdout))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and ".locks" not in p.parts
    }


def trials(runs_dir: Path) -> set[str]:
    return {path.name for path in (runs_dir / "store").iterdir() if len(path.name) == 64}


def named_by(run: Path) -> set[str]:
    return {trial["id"] for trial in json.loads((run / "plan.json").read_text())["trials"]}


def forget(run: Path) -> set[str]:
    """Delete a run by hand; the trials that no run names then."""
    mine = named_by(run)
    for path in sorted(run.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    run.rmdir()
    return mine - {trial for other in runs_of(run.parent) for trial in named_by(other)}


def test_without_a_flag_it_only_tells(runs_dir: Path) -> None:
    before = snapshot(runs_dir)
    result = clean(runs_dir)
    assert snapshot(runs_dir) == before
    assert "tiny" in result.stdout
    assert "8 finished" in result.stdout
    assert "orphaned" in result.stdout


def test_sizes_are_those_of_the_files_and_hard_links_count_once(runs_dir: Path) -> None:
    every = sum(path.lstat().st_size for path in runs_dir.rglob("*") if path.is_file())
    assert as_json(runs_dir)["contents"]["size"] == every
    trial = sorted(trials(runs_dir))[0]
    best = runs_dir / "store" / trial / "checkpoints" / "best.pt"
    os.link(best, best.with_name("again.pt"))
    assert as_json(runs_dir)["contents"]["size"] == every
    outside = runs_dir.parent / "large"
    outside.write_bytes(bytes(100_000))
    (runs_dir / "store" / trial / "link").symlink_to(outside)
    assert as_json(runs_dir)["contents"]["size"] < every + 1000


def test_orphans_are_told_and_removed_and_nothing_else(runs_dir: Path) -> None:
    run, kept = runs_of(runs_dir / "tiny")
    orphans = forget(run)
    assert len(orphans) == 2
    found = as_json(runs_dir)
    assert set(found["contents"]["orphaned"]) == orphans
    assert (found["planned"], found["removed"]) == ([], [])
    before = snapshot(runs_dir)

    dry = as_json(runs_dir, "--orphaned", "--dry-run")
    assert {removal["name"] for removal in dry["planned"]} == orphans
    assert dry["removed"] == []
    assert snapshot(runs_dir) == before

    gone = as_json(runs_dir, "--orphaned", "--yes")
    assert {removal["name"] for removal in gone["removed"]} == orphans
    assert gone["freed"] == sum(len(content) for name, content in before.items() if name.split("/")[1] in orphans)
    # Their names in the index of weights go with them.
    assert snapshot(runs_dir) == {name: each for name, each in before.items() if orphans.isdisjoint(name.split("/"))}
    assert named_by(kept) == trials(runs_dir)
    assert as_json(runs_dir, "--orphaned", "--yes")["planned"] == []


def test_it_asks_first(runs_dir: Path) -> None:
    orphans = forget(runs_of(runs_dir / "tiny")[0])
    before = snapshot(runs_dir)
    for answer in ("n\n", "\n", ""):
        assert "remove 2 trials" in clean(runs_dir, "--orphaned", answer=answer, exit_code=1).output
    assert snapshot(runs_dir) == before
    listed = clean(runs_dir, "--orphaned", answer="y\n").stdout
    assert all(trial in listed for trial in orphans)
    assert not orphans & trials(runs_dir)


def test_specs_count_as_references(runs_dir: Path, tiny: str) -> None:
    forget(runs_of(runs_dir / "tiny")[0])
    specs = runs_dir.parent / "specs"
    specs.mkdir()
    (specs / "tiny.yaml").write_text(tiny)
    (specs / "fragment.yaml").write_text("lr: 1\n")
    assert as_json(runs_dir, "--specs", str(specs))["contents"]["orphaned"] == []
    assert as_json(runs_dir, "--specs", str(specs), "--orphaned", "--yes")["removed"] == []
    (specs / "wrong.yaml").write_text(tiny.replace("epochs: 2", "epochs: two"))
    before = trials(runs_dir)
    clean(runs_dir, "--specs", str(specs), "--orphaned", "--yes", exit_code=1)
    assert trials(runs_dir) == before


def test_a_damaged_or_renamed_or_linked_run_still_protects_its_trials(runs_dir: Path) -> None:
    first, second = runs_of(runs_dir / "tiny")
    elsewhere = runs_dir.parent / "elsewhere"
    first.rename(elsewhere)
    (runs_dir / "tiny" / "the good one").symlink_to(elsewhere)
    plan = second / "plan.json"
    plan.write_bytes(plan.read_bytes()[:-200])
    assert as_json(runs_dir, "--orphaned", "--yes")["removed"] == []


@pytest.mark.parametrize("lost", [["search.json"], ["results.jsonl", "search.json"]])
def test_the_points_of_a_search_are_named_by_its_run_as_a_kill_leaves_it(
    tmp_path: Path, tiny: str, train_spec: Any, lost: list[str]
) -> None:
    space = "{training.optimizer.lr: {log_uniform: [1e-4, 1e-1]}}"
    search = f"search: {{space: {space}, optimize: {{metric: valid/loss}}, sampler: random, trials: 2}}\n"
    spec = tiny[: tiny.index("ablation")].replace("epochs: 2", "epochs: 1") + search
    run = train_spec(spec, tmp_path)
    assert len(trials(tmp_path)) == 3
    assert len(named_by(run)) == 1
    for name in lost:
        (run / name).unlink()
    assert as_json(tmp_path, "--orphaned", "--yes")["removed"] == []
    assert len(trials(tmp_path)) == 3


def test_last_checkpoints_of_finished_trials(runs_dir: Path) -> None:
    report = runner.invoke(app, ["report", "tiny", "--runs-dir", str(runs_dir)]).stdout
    clean(runs_dir, "--checkpoints", "last", "--yes")
    for trial in trials(runs_dir):
        names = {path.name for path in (runs_dir / "store" / trial / "checkpoints").iterdir()}
        assert names == {"best.pt", "best.pt.sha256"}
    assert runner.invoke(app, ["report", "tiny", "--runs-dir", str(runs_dir)]).stdout == report
    clean(runs_dir, "--checkpoints", "all", "--yes")
    assert not list((runs_dir / "store").rglob("*.pt*"))
    assert runner.invoke(app, ["report", "tiny", "--runs-dir", str(runs_dir)]).stdout == report


@pytest.mark.parametrize("which", ["last", "all"])
def test_an_unfinished_trial_keeps_its_checkpoints(runs_dir: Path, which: str) -> None:
    unfinished = sorted(trials(runs_dir))[0]
    folder = runs_dir / "store" / unfinished
    (folder / "result.json").unlink()
    before = snapshot(folder)
    found = as_json(runs_dir, "--checkpoints", which, "--yes")
    assert unfinished not in {removal["name"] for removal in found["removed"]}
    assert found["contents"]["trials"]["unfinished"] == 1
    assert snapshot(folder) == before


@pytest.mark.parametrize("harm", ["damage", "digest"])
def test_the_last_good_checkpoint_stays(runs_dir: Path, harm: str) -> None:
    trial = sorted(trials(runs_dir))[0]
    folder = runs_dir / "store" / trial / "checkpoints"
    best = folder / ("best.pt" if harm == "damage" else "best.pt.sha256")
    best.write_bytes(b"abc" + best.read_bytes()[3:])
    found = as_json(runs_dir, "--checkpoints", "last", "--yes")
    assert [(each["removal"]["name"], "best.pt" in each["reason"]) for each in found["skipped"]] == [(trial, True)]
    assert (folder / "last.pt").exists()


def test_runs_go_but_for_the_latest_and_then_their_trials(runs_dir: Path) -> None:
    first, second = runs_of(runs_dir / "tiny")
    only_first = named_by(first) - named_by(second)
    assert [each["kind"] for each in as_json(runs_dir, "--runs", "tiny", "--keep", "1", "--dry-run")["planned"]] == [
        "run"
    ]
    found = as_json(runs_dir, "--runs", "tiny", "--keep", "1", "--orphaned", "--yes")
    assert [each["kind"] for each in found["removed"]] == ["run", "trial", "trial"]
    assert {each["name"] for each in found["removed"]} == {f"tiny/{first.name}", *only_first}
    assert runs_of(runs_dir / "tiny") == [second]
    assert trials(runs_dir) == named_by(second)


def test_a_run_that_lives_stays_and_so_do_its_trials(runs_dir: Path, living: Any) -> None:
    first, _ = runs_of(runs_dir / "tiny")
    living(first)
    before = snapshot(runs_dir)
    result = clean(runs_dir, "--runs", "tiny", "--keep", "1", "--orphaned", "--yes")
    assert f"tiny/{first.name} stays: it runs" in result.stderr
    assert snapshot(runs_dir) == before


def test_a_run_on_another_machine_stays_until_all_its_trials_have_ended(runs_dir: Path, living: Any) -> None:
    first, _ = runs_of(runs_dir / "tiny")
    living(first)
    driver = json.loads((first / "driver.json").read_text())
    (first / "driver.json").write_text(json.dumps(driver | {"host": "elsewhere"}))
    trial = runs_dir / "store" / sorted(named_by(first))[0]
    (trial / "result.json").rename(trial / "away")
    assert "another machine" in clean(runs_dir, "--runs", "tiny", "--keep", "1", "--yes").stderr
    assert first.exists()
    (trial / "away").rename(trial / "result.json")
    clean(runs_dir, "--runs", "tiny", "--keep", "1", "--yes")
    assert not first.exists()


@pytest.mark.parametrize("arguments", [["--orphaned"], ["--checkpoints", "all"]])
def test_a_trial_that_is_being_trained_stays(runs_dir: Path, arguments: list[str]) -> None:
    orphans = forget(runs_of(runs_dir / "tiny")[0])
    held = sorted(orphans)[0]
    before = snapshot(runs_dir / "store" / held)
    with Store(runs_dir / "store").lock(held):
        found = as_json(runs_dir, *arguments, "--yes")
    assert [(each["removal"]["name"], each["reason"]) for each in found["skipped"]] == [(held, "it is being trained")]
    assert snapshot(runs_dir / "store" / held) == before
    assert len(found["removed"]) == len(found["planned"]) - 1


def test_older_than_spares_what_was_written_lately(runs_dir: Path) -> None:
    orphans = sorted(forget(runs_of(runs_dir / "tiny")[0]))
    for path in (runs_dir / "store" / orphans[0]).rglob("*"):
        os.utime(path, (1e9, 1e9))
    found = as_json(runs_dir, "--orphaned", "--older-than", "30d", "--yes")
    assert [each["name"] for each in found["removed"]] == orphans[:1]
    assert [
        each["kind"] for each in as_json(runs_dir, "--runs", "tiny", "--older-than", "1h", "--dry-run")["planned"]
    ] == []


def test_links_go_and_what_they_lead_to_stays(runs_dir: Path) -> None:
    precious = runs_dir.parent / "precious"
    precious.mkdir()
    (precious / "data").write_text("mine")
    orphan = sorted(forget(runs_of(runs_dir / "tiny")[0]))[0]
    (runs_dir / "store" / orphan / "link").symlink_to(precious)
    (runs_dir / "store" / ("a" * 64)).symlink_to(precious)
    clean(runs_dir, "--orphaned", "--yes")
    assert (precious / "data").read_text() == "mine"
    assert not (runs_dir / "store" / orphan).exists()
    assert (runs_dir / "store" / ("a" * 64)).is_symlink()


def test_prepared_data_goes_when_asked_or_when_no_run_names_it(runs_dir: Path, living: Any) -> None:
    _, run = runs_of(runs_dir / "tiny")
    shutil.rmtree(runs_dir / "store" / "prepared", ignore_errors=True)
    named, unnamed = "1" * 64, "2" * 64
    for name in (named, unnamed):
        (runs_dir / "store" / "prepared" / name).mkdir(parents=True)
        (runs_dir / "store" / "prepared" / name / "x.npy").write_bytes(bytes(1000))
    torn = runs_dir / "store" / "prepared" / f".{named}.abcd"
    (torn / "new").mkdir(parents=True)
    (torn.with_name(f".{named}.lock")).touch()
    plan = run / "plan.json"
    plan.write_text(plan.read_text().replace('"folded"', f'"prepare": "{named}", "folded"', 1))
    assert "prepared data: 2, 2.0 KiB" in clean(runs_dir).stdout
    assert [each["name"] for each in as_json(runs_dir, "--orphaned", "--yes")["removed"]] == [unnamed]
    living(run)
    assert "a run lives" in clean(runs_dir, "--prepared", "--yes").stderr
    (run / "driver.json").unlink()
    with FileLock(torn.with_name(f".{named}.lock")):
        assert "it is being prepared" in clean(runs_dir, "--prepared", "--yes").stderr
    assert (runs_dir / "store" / "prepared" / named).exists()
    clean(runs_dir, "--prepared", "--yes")
    assert [path.name for path in (runs_dir / "store" / "prepared").iterdir() if path.is_dir()] == []


def test_compiled_steps_and_measurements_go_when_asked(runs_dir: Path, living: Any) -> None:
    _, run = runs_of(runs_dir / "tiny")
    kernel, finding = (runs_dir / "store" / name for name in ("compiled/kernels/a.so", "batching/b.json"))
    for file in (kernel, finding):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(1000))
    assert "compiled steps and measurements: 2.0 KiB" in clean(runs_dir).stdout
    clean(runs_dir, "--compiled", "--older-than", "1d", "--yes")
    clean(runs_dir, "--prepared", "--yes")
    living(run)
    assert "a run lives" in clean(runs_dir, "--compiled", "--yes").stderr
    assert kernel.exists()
    assert finding.exists()
    (run / "driver.json").unlink()
    clean(runs_dir, "--compiled", "--yes")
    assert not kernel.parent.parent.exists()
    assert not finding.parent.exists()


def test_what_a_killed_removal_left_goes_with_the_next(runs_dir: Path) -> None:
    trial = sorted(forget(runs_of(runs_dir / "tiny")[0]))[0]
    folder = runs_dir / "store" / trial
    folder.rename(folder.with_name(f".removing-{trial}-1"))
    assert "left by an interrupted removal" in clean(runs_dir).stdout
    assert folder.with_name(f".removing-{trial}-1").exists()
    clean(runs_dir, "--orphaned", "--yes")
    assert not list((runs_dir / "store").glob(".removing-*"))


def test_a_store_that_is_a_link_is_not_touched(runs_dir: Path) -> None:
    shared = runs_dir.parent / "shared"
    (runs_dir / "store").rename(shared)
    (runs_dir / "store").symlink_to(shared)
    assert "is a link" in clean(runs_dir, "--orphaned", "--yes", exit_code=2).stderr


def test_a_folder_that_may_not_be_written_is_an_error_without_a_traceback(runs_dir: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    forget(runs_of(runs_dir / "tiny")[0])
    (runs_dir / "store").chmod(0o500)
    try:
        assert "cannot remove" in clean(runs_dir, "--orphaned", "--yes", exit_code=1).stderr
    finally:
        (runs_dir / "store").chmod(0o700)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--older-than", "3d"],
        ["--keep", "1"],
        ["--runs", "tiny"],
        ["--runs", "other", "--keep", "1"],
        ["--runs", "../runs/tiny", "--keep", "0"],
        ["--orphaned", "--older-than", "3"],
        ["--orphaned", "--older-than", "-3d"],
        ["--checkpoints", "best"],
    ],
)
def test_wrong_use_ends_with_2_and_removes_nothing(runs_dir: Path, arguments: list[str]) -> None:
    before = snapshot(runs_dir)
    clean(runs_dir, *arguments, "--yes", exit_code=2)
    assert snapshot(runs_dir) == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no folder" in clean(tmp_path / "runs", exit_code=2).stderr
    assert as_json(tmp_path)["contents"]["size"] == 0
