"""A program without craftc: the same function in a plain script."""

from pathlib import Path

import pytest

from craftc import Run
from craftc.training.programs.metrics import ReportError


def train(run: Run, epochs: int) -> None:
    done = 0 if run.state is None else run.state["epoch"]
    for epoch in range(done + 1, epochs + 1):
        run.report({"train/loss": 1 / epoch}, state={"epoch": epoch}, step=10 * epoch)
    run.finish({"test/accuracy": 0.75})


def test_it_prints_what_is_reported_and_goes_on_from_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(Run.by_hand(tmp_path / "lab", seed=5), epochs=2)
    first = ["record 1, step 10: train/loss 1.0000", "record 2, step 20: train/loss 0.5000"]
    end = "finished: test/accuracy 0.7500"
    assert capsys.readouterr().out.splitlines() == [*first, end]
    again = Run.by_hand(tmp_path / "lab")
    assert again.state == {"epoch": 2}
    assert again.folder.is_dir()
    train(again, epochs=3)
    assert capsys.readouterr().out.splitlines() == ["record 3, step 30: train/loss 0.3333", end]


def test_it_refuses_what_craftc_would_refuse(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match='a metric is named "<split>/<metric>"'):
        Run.by_hand(tmp_path).report({"loss": 1.0})
