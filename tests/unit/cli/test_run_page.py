"""report.html while a run trains and at its end, and `craftc report --format html`."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.cli.run_page import PageWriter, write_page
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.execute import execute
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.run_folder import RunFolder, create_run, runs_of
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import EpochEnded, Event


class Reader:
    """An observer that waits at every epoch until there is a page, and keeps it."""

    def __init__(self, path: Path) -> None:
        self.path, self.pages = path, list[str]()

    def start(self, plan: Plan, run_name: str) -> None: ...

    def event(self, event: Event) -> None:
        if isinstance(event, EpochEnded):
            while not self.path.is_file():
                time.sleep(0.001)
            self.pages.append(self.path.read_text(encoding="utf-8"))

    def close(self) -> None: ...


def started(spec: str, runs_dir: Path) -> tuple[Plan, RunFolder]:
    plan = compile_spec(spec, str(runs_dir.parent / "tiny.yaml"), built_in_catalogue()).plan
    assert plan is not None
    return plan, create_run(runs_dir, plan, spec)


def test_a_page_is_there_while_the_run_trains(tmp_path: Path, tiny: str) -> None:
    plan, folder = started(tiny, tmp_path / "runs")
    warnings: list[str] = []
    reader = Reader(folder.path / "report.html")
    observers = [PageWriter(folder.path, warn=warnings.append, every_s=0.001), reader]
    store = Store(tmp_path / "runs" / "store")
    execute(plan, store=store, backend=InlineBackend(), observers=observers, run_folder=folder)
    assert len(reader.pages) == 8
    assert all("running when this page was written" in page for page in reader.pages)
    assert warnings == []
    write_page(folder.path, warn=warnings.append)
    assert "all 4 trials finished" in reader.path.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_one_warning(tmp_path: Path, tiny: str) -> None:
    plan, folder = started(tiny, tmp_path / "runs")
    (folder.path / "report.html").mkdir()
    warnings: list[str] = []
    observers = [PageWriter(folder.path, warn=warnings.append, every_s=0.001)]
    store = Store(tmp_path / "runs" / "store")
    outcome = execute(plan, store=store, backend=InlineBackend(), observers=observers, run_folder=folder)
    assert len(outcome.finished) == 4
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{folder.path / 'report.html'} is not up to date: IsADirectoryError")
    assert "Traceback (most recent call last)" in folder.log.read_text(encoding="utf-8")


def test_it_is_printed_as_other_formats_are(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs_dir.parent)
    result = CliRunner().invoke(app, ["report", "tiny", "--format", "html"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("<!DOCTYPE html>\n")
    assert "all 6 trials finished" in result.stdout
    assert "train/loss of base: " in result.stdout


def test_the_page_says_whether_its_run_goes_on(
    runs_dir: Path, living: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs_dir.parent)
    run = runs_of(Path("runs/tiny"))[0]
    trial = json.loads((run / "plan.json").read_bytes())["trials"][0]["id"]
    Path("runs/store", trial, "result.json").unlink()
    ask = ["report", str(run), "--format", "html"]
    assert "3 of 4 trials finished; 1 not trained to the end" in CliRunner().invoke(app, ask).stdout
    living(run)
    assert "running when this page was written: 3 of 4" in CliRunner().invoke(app, ask).stdout


def test_a_run_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "nothing", "--format", "html"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'no run "nothing"' in result.stderr
