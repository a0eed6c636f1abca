"""Hugging Face's Trainer: what is recorded, and that a killed training goes on bit by bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.components.programs.conftest import MakeRun

from craftc import Stopped
from craftc.components.programs.transformers import transformers
from craftc.components.programs.transformers_callback import evaluated

EXAMPLE = Path(__file__).parents[4] / "examples" / "06_transformers"
# Its arguments ask for pinned memory, which torch 2.13 warns of on a machine without an accelerator.
pytestmark = pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true but no accelerator")


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    yield
    assert not (tmp_path / "digits").exists(), "a folder of another name was left behind"


def trainer(**more: Any) -> dict[str, Any]:
    kind = "digit_bert.finetune:make_trainer"
    return {"trainer": {"kind": kind, "width": 8, "layers": 1, "epochs": 3} | more}


def test_goes_on_bit_by_bit(make_run: MakeRun) -> None:
    whole, all_recorded = make_run("whole")
    transformers(whole, **trainer())
    assert [step for step, _ in all_recorded.records] == [34, 68, 102]
    measured = {f"{split}/{name}" for split in ("valid", "test") for name in ("loss", "accuracy")}
    assert all_recorded.records[0][1].keys() == measured | {"train/loss", "train/grad_norm", "train/learning_rate"}

    cut, before = make_run("cut", stop_at=1)
    with pytest.raises(Stopped):
        transformers(cut, **trainer())
    assert before.state == cut.folder / "checkpoint-34"
    again, after = make_run("cut", state=before.state)
    transformers(again, **trainer())
    assert before.records + after.records == all_recorded.records
    assert [path.name for path in cut.folder.iterdir()] == ["checkpoint-102"]

    ended, nothing = make_run("cut", state=after.state)
    transformers(ended, **trainer())
    assert nothing.records == []


def test_the_seed_decides_what_the_model_begins_with(make_run: MakeRun) -> None:
    losses = []
    for number, seed in enumerate((0, 0, 1)):
        run, recorded = make_run(str(number), seed=seed)
        transformers(run, **trainer(epochs=1))
        losses.append(recorded.records[0][1]["valid/loss"])
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("changes", "num_records", "checkpoint", "is_state"),
    [
        ('eval_strategy="no"', 1, "checkpoint-68", False),
        ('eval_strategy="epoch", save_strategy="best", metric_for_best_model="valid_x"', 2, "checkpoint-34", True),
    ],
)
def test_other_strategies(
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: str,
    num_records: int,
    checkpoint: str,
    is_state: bool,
) -> None:
    """One that evaluates at the end alone, and one that saves only what is better; x is never better than before."""
    text = (EXAMPLE / "digit_bert" / "finetune.py").read_text().replace('eval_strategy="epoch"', changes)
    module = f"strategy_of_{num_records}"
    (tmp_path / f"{module}.py").write_text(text.replace('return {"accuracy":', 'return {"x": 1.0, "accuracy":'))
    monkeypatch.syspath_prepend(tmp_path)
    run, recorded = make_run()
    transformers(run, **trainer(kind=f"{module}:make_trainer", epochs=2))
    assert len(recorded.records) == num_records
    assert [path.name for path in run.folder.iterdir()] == [checkpoint]
    assert recorded.state == (run.folder / checkpoint if is_state else None)


def test_names_of_metrics() -> None:
    metrics = {
        "eval_loss": 1,
        "eval_val_set_loss": 2,
        "eval_runtime": 3.0,
        "eval_val_steps_per_second": 4,
        "epoch": 1.0,
    }
    assert evaluated(metrics, ()) == {"valid/loss": 1.0, "valid/val_set_loss": 2.0}
    assert evaluated(metrics, ("val", "val_set")) == {"valid/loss": 1.0, "val_set/loss": 2.0}
