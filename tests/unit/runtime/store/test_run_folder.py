"""A run's folder: never shared, found again, and a journal that survives a kill."""

import re
import threading
from pathlib import Path

import pytest

from craftc.runtime.store.run_folder import RUN_NAME, RunFolder, create_run, find_run
from craftc.schemas.plan import Headline, Plan
from craftc.schemas.result import TrialFailed

PLAN = Plan(name="vit", baseline="full", headline=Headline(split="test", metric="accuracy", mode="max"), trials=())


def failure(number):
    return TrialFailed(trial=f"{number:064x}", code="nan-loss", message="the loss is not a number", epoch=2)


def test_what_is_written_is_read_back(tmp_path):
    folder = create_run(tmp_path, PLAN, "name: vit  # as written ü\n")
    assert folder.path.parent == tmp_path / "vit"
    assert folder.plan() == PLAN
    assert folder.spec_text() == "name: vit  # as written ü\n"
    assert re.fullmatch(r"\d{8}_\d{6}", folder.run_name)


def test_under_slurm_the_name_has_the_job(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert re.fullmatch(r"\d{8}_\d{6}_j4711", create_run(tmp_path, PLAN, "").run_name)


def test_runs_of_the_same_second_do_not_share_a_folder(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(create_run(tmp_path, PLAN, "").path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 3
    assert all(RUN_NAME.fullmatch(path.name) for path in made)


def test_a_run_is_found_by_path_by_name_and_run_and_by_name(tmp_path, monkeypatch):
    paths = [tmp_path / "runs" / "vit" / name for name in ("20250101_000000", "20260101_000000_j1")]
    for path in [*paths, tmp_path / "runs" / "vit" / "not_a_run"]:
        path.mkdir(parents=True)
        (path / "plan.json").write_text("{}")
    (tmp_path / "runs" / "vit" / "20990101_000000").mkdir()
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    assert find_run("vit", runs) == paths[1]
    assert find_run("runs/vit", runs).resolve() == paths[1]
    assert find_run("vit/20250101_000000", runs) == paths[0]
    assert find_run(str(paths[0]), runs) == paths[0]


def test_a_run_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no run "vti".*there are no runs yet'):
        find_run("vti", tmp_path)
    create_run(tmp_path, PLAN, "")
    with pytest.raises(FileNotFoundError, match="there are runs of vit"):
        find_run("vti", tmp_path)


def test_the_journal_goes_on_after_a_kill(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.journal() as journal:
        journal.write(failure(1))
    with open(tmp_path / "results.jsonl", "ab") as file:
        file.write(b'{"type": "fin')
    with folder.journal() as journal:
        journal.write(failure(2))
    lines = (tmp_path / "results.jsonl").read_bytes().splitlines()
    assert [TrialFailed.model_validate_json(line) for line in lines] == [failure(1), failure(2)]


def test_a_run_that_is_not_there_is_told_with_those_that_may_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("20250101_000000", "20250102_000000"):
        Path("runs/vit", name).mkdir(parents=True)
        Path("runs/vit", name, "plan.json").touch()
    Path("specs").mkdir()
    Path("specs/first.yaml").write_text("craftc: 1\nname: vit\n")
    Path("specs/other.yaml").write_text("craftc: 1\nname: other\n")
    Path("specs/none.yaml").write_text("{")
    for text, told in (
        ("vit/20250103_000000", "of vit there are 20250102_000000, 20250101_000000"),
        ("specs/first.yaml", "it is a spec, whose runs go by its name; write vit for the latest"),
        ("specs/other.yaml", 'it is a spec, and in "runs" there are no runs of it yet'),
        ("specs/none.yaml", 'it is a spec, and in "runs" there are no runs of it yet'),
        ("first.yaml", 'it is no run\'s folder, and in "runs" there are runs of vit'),
    ):
        with pytest.raises(FileNotFoundError) as raised:
            find_run(text, Path("runs"))
        assert str(raised.value) == f'no run "{text}": {told}'
