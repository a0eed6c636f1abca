"""The tracker of one's own that the page shows is one, and its spec is right."""

import re
import sys
from pathlib import Path

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.make_trackers import make_trackers
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.store.store import Store
from craftc.runtime.worker.own_code import make_importable
from craftc.schemas.plan import Headline, Plan
from craftc.schemas.result import EpochEnded, EpochRecord

PAGE = (Path(__file__).parents[3] / "docs" / "how_to" / "track.md").read_text(encoding="utf-8")
REST = """\
craftc: 1
name: x
data: {source: digits}
model: {kind: mlp}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 32, optimizer: adamw}
"""


def analysed(folder: Path, report: str):
    spec = folder / "spec.yaml"
    return analyse(REST + report, str(spec), built_in_catalogue())


def test_the_tracker_of_ones_own_is_checked_and_writes_what_it_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Losses" in block)
    report = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "lab.losses:Losses" in block)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "losses.py").write_text(code)
    found = analysed(tmp_path, report)
    assert found.diagnostics == ()
    wrong = analysed(tmp_path, report.replace("file: valid.csv", "file: 3"))
    assert [d.code for d in wrong.diagnostics] == ["wrong-type"]

    make_importable([str(tmp_path)])
    assert found.spec is not None
    warnings: list[str] = []
    run = TrackedRun(tmp_path, Store(tmp_path / "store"), Factors(axes={}), warnings.append)
    (tracker,) = make_trackers(found.spec.report.trackers, run)
    headline = Headline(split="test", metric="accuracy", mode="max")
    tracker.start(Plan(name="x", baseline="base", headline=headline, trials=()), "run")
    record = EpochRecord(trial="a", epoch=1, step=5, metrics={"valid/loss": 0.5}, seconds=0.1)
    tracker.event(EpochEnded(record=record))
    tracker.close()
    assert warnings == []
    assert (tmp_path / "valid.csv").read_text() == "trial,epoch,loss\na,1,0.5\n"


def test_a_class_without_a_method_is_no_tracker(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(
        "class Deaf:\n    def start(self, plan, run_name): ...\n    def close(self): ...\n"
    )
    (found,) = analysed(tmp_path, "report: {trackers: ['deaf:Deaf']}").diagnostics
    assert found.code == "unfit-component"
    assert "has no event(), so it cannot be a tracker" in found.message
    (tmp_path / "greedy.py").write_text("def greedy(run, store, /): ...\n")
    (found,) = analysed(tmp_path, "report: {trackers: ['greedy:greedy']}").diagnostics
    assert "needs run, store by position, and craftc hands a tracker run alone so" in found.message


def test_a_tracker_that_cannot_be_made_is_a_warning(tmp_path: Path) -> None:
    report = "report: {trackers: [{kind: mlflow}, {kind: wandb, project: p, mode: offline}]}"
    found = analysed(tmp_path, report)
    assert found.spec is not None
    gone = found.spec.report.trackers[0].changed(kind="no_such_module:Log")
    warnings: list[str] = []
    run = TrackedRun(tmp_path, Store(tmp_path / "store"), Factors(axes={}), warnings.append)
    assert len(make_trackers([gone, *found.spec.report.trackers[1:]], run)) == 1
    assert len(warnings) == 1
    assert warnings[0].startswith("there is no tracker no_such_module:Log: ModuleNotFoundError")
