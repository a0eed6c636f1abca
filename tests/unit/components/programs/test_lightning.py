"""Lightning's own Trainer: what is recorded, and that a killed training goes on bit by bit however it validates."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.components.programs.conftest import MakeRun

from craftc import Stopped
from craftc.components.programs.lightning import lightning

EXAMPLE = Path(__file__).parents[4] / "examples" / "05_lightning"
pytestmark = [
    # Lightning 2.6 on what torch 2.13 deprecates, on the processes that load data, on few batches, on what its own
    # checkpoints are restored from.
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated"),
    pytest.mark.filterwarnings("ignore:The '\\w+_dataloader' does not have many workers"),
]


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)


def arguments(**trainer: Any) -> dict[str, Any]:
    return {
        "module": {"kind": "digit_net.module:DigitNet", "channels": 4},
        "data": {"kind": "digit_net.data:Digits", "batch_size": 128},
        "trainer": {"kind": "lightning:Trainer", "max_epochs": 3} | trainer,
    }


@pytest.mark.parametrize(
    "trainer",
    [
        {},
        {"val_check_interval": 0.5},
        {"check_val_every_n_epoch": 2, "max_epochs": 6},
        {"max_epochs": -1, "max_steps": 32},
        {"max_epochs": -1, "max_steps": 32, "limit_val_batches": 0},
    ],
    ids=["by epoch", "twice an epoch", "every second epoch", "by step", "without validation"],
)
def test_goes_on_bit_by_bit(make_run: MakeRun, trainer: dict[str, Any]) -> None:
    asked = arguments(**trainer)
    if trainer.keys() & {"limit_val_batches", "check_val_every_n_epoch"}:
        # Lightning itself refuses a schedule that watches what is not measured in an epoch.
        asked["module"]["schedule"] = "cosine"
    whole, all_recorded = make_run("whole")
    lightning(whole, **asked, test="last")
    names = {name for _, metrics in all_recorded.records for name in metrics}
    with_validation = set() if "limit_val_batches" in trainer else {"valid/loss", "valid/accuracy"}
    assert names == {"train/loss", "train/accuracy"} | with_validation
    assert all_recorded.final is not None
    assert set(all_recorded.final) == {"test/loss", "test/accuracy"}

    cut, before = make_run("cut", stop_at=2)
    with pytest.raises(Stopped):
        lightning(cut, **asked, test="last")
    again, after = make_run("cut", state=before.state)
    lightning(again, **asked, test="last")
    num_left = len(after.records)
    assert 0 < num_left < len(all_recorded.records)
    assert after.records == all_recorded.records[-num_left:]
    assert after.final == all_recorded.final

    ended, nothing = make_run("cut", state=after.state)
    lightning(ended, **asked, test="last")
    assert (nothing.records, nothing.final) == ([], all_recorded.final)


def test_the_seed_decides_what_the_module_begins_with(make_run: MakeRun) -> None:
    losses = []
    for seed in (0, 0, 1):
        run, recorded = make_run(seed=seed)
        lightning(run, **arguments(max_epochs=1))
        losses.append(recorded.records[0][1]["valid/loss"])
    assert losses[0] == losses[1] != losses[2]


def test_what_early_stopping_ends_is_tested_and_what_is_pruned_is_not(make_run: MakeRun) -> None:
    early, recorded = make_run("early", stop_at=1, reason="early-stopping")
    lightning(early, **arguments(), test="last")
    assert len(recorded.records) == 1
    assert recorded.final is not None
    pruned, recorded = make_run("pruned", stop_at=1, reason="pruned")
    with pytest.raises(Stopped):
        lightning(pruned, **arguments(), test="last")
    assert recorded.final is None


def test_the_best_weights_are_those_of_its_own_callback(make_run: MakeRun) -> None:
    callbacks = [{"kind": "lightning.pytorch.callbacks:ModelCheckpoint", "monitor": "val_loss", "mode": "max"}]
    run, best = make_run("best")
    lightning(run, **arguments(callbacks=callbacks), test="best")
    run, last = make_run("last")
    lightning(run, **arguments(callbacks=callbacks), test="last")
    assert best.records == last.records
    assert best.final is not None
    assert last.final is not None
    assert best.final["test/loss"] > last.final["test/loss"], "the worst of validation is called the best here"
    with pytest.raises(ValueError, match="needs a ModelCheckpoint"):
        lightning(make_run("none")[0], **arguments(max_epochs=1), test="best")


def test_loaders_of_a_function(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_loaders.py").write_text(
        "from digit_net.data import Digits\n\n\n"
        "def loaders(batch_size):\n    data = Digits(batch_size)\n    data.setup('fit')\n"
        "    return data.train_dataloader(), data.val_dataloader(), data.test_dataloader()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run, by_module = make_run("module")
    lightning(run, **arguments(), test="last")
    run, by_function = make_run("function")
    data = {"kind": "my_loaders:loaders", "batch_size": 128}
    lightning(run, **arguments() | {"data": data}, test="last")
    assert by_function.records == by_module.records
    assert by_function.final == by_module.final
