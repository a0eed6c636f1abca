"""Trials that share a training against the same trials trained alone: every number, every file, bit by bit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.loop.trial import Begun, Failed, train_together
from craftc.training.state import checkpoint
from craftc.training.state.history import read_history
from craftc.training.state.member import Member

MakeTrial = Callable[..., Trial]
# All that has state: dropout, augmentation, EMA, Adam's moments, class weights, a plateau that reduces.
STATEFUL: dict[str, Any] = {
    "regularization.ema_decay": 0.9,
    "training.optimizer.lr": 0.1,
    "training.schedule": [
        {"kind": "linear_warmup", "epochs": 1, "start_lr": 0.0},
        {
            "kind": "reduce_on_plateau",
            "metric": "train/loss",
            "mode": "max",
            "factor": 0.5,
            "patience": 1,
            "min_lr": 0.0,
            "epochs": "none",
        },
    ],
}
CONSTANT: dict[str, Any] = {"training.schedule": [{"kind": "constant", "epochs": "none"}], "training.epochs": 4}
AUROC = [{"kind": "auroc"}, {"kind": "accuracy"}]
STOPPED = {"metric": "valid/accuracy", "mode": "max", "patience": 2, "min_delta": 1.0}
MEMBERS: dict[str, dict[str, Any]] = {
    "longest": {"training.epochs": 6},
    "shorter": {"training.epochs": 3},
    "one epoch": {"training.epochs": 1},
    "stopped early": {"training.epochs": 6, "training.early_stopping": STOPPED},
    "selects accuracy": {"training.epochs": 6, "evaluation.select": {"metric": "valid/accuracy", "mode": "max"}},
    "selects the worst": {"training.epochs": 5, "evaluation.select": {"metric": "train/loss", "mode": "max"}},
    "selects nothing": {"training.epochs": 5, "evaluation.select": "none"},
    "other metrics": {"training.epochs": 4, "objective.metrics": AUROC},
    "no metrics": {"training.epochs": 6, "objective.metrics": []},
}
NORMED = """
import torch

class Normed(torch.nn.Sequential):
    def __init__(self):
        super().__init__(
            torch.nn.Flatten(), torch.nn.Linear(64, 12), torch.nn.BatchNorm1d(12), torch.nn.Dropout(0.3),
            torch.nn.ReLU(), torch.nn.Linear(12, 10),
        )
"""


def members_of(trials: dict[str, Trial], folder: Path) -> list[Member]:
    return [Member(trial, folder / name) for name, trial in trials.items()]


def run(members: list[Member]) -> dict[str, list[Any]]:
    """All that is told of each trial, without the clock."""
    told: dict[str, list[Any]] = {member.trial.id: [] for member in members}
    for item in train_together(members, device="cpu"):
        told[item.trial].append(item)
    return {trial: [plain(item) for item in items] for trial, items in told.items()}


def plain(item: Begun | EpochRecord | Result | Failed) -> Any:
    return item.model_dump_json(exclude={"seconds"}) if isinstance(item, EpochRecord | Result) else item


def files(folder: Path) -> dict[str, Any]:
    """What a trial's folder holds, without the clock and without the names of those it was trained with."""
    trial = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["trial"]
    lines = [record.model_dump_json(exclude={"seconds"}) for record in read_history(folder, trial).records]
    last = torch.load(checkpoint.last_path(folder), weights_only=True)
    best = torch.load(checkpoint.best_path(folder), weights_only=True)
    return {"history": lines, "last": last, "best": best}


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    else:
        assert one == other


@pytest.fixture
def make(make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Trial]]:
    (tmp_path / "normed_model.py").write_text(NORMED)
    monkeypatch.syspath_prepend(tmp_path)

    def trials(common: dict[str, Any]) -> dict[str, Trial]:
        return {name: make_trial(common | own) for name, own in MEMBERS.items()}

    return trials


@pytest.mark.parametrize("model", [{}, {"model": {"kind": "normed_model:Normed"}}], ids=["dropout", "batch norm"])
def test_each_trial_is_what_it_is_alone_bit_by_bit(
    make: Callable[..., dict[str, Trial]], tmp_path: Path, model: dict[str, Any]
) -> None:
    trials = make(STATEFUL | model)
    together = run(members_of(trials, tmp_path / "together"))
    for name, trial in trials.items():
        [(_, alone)] = run(members_of({name: trial}, tmp_path / "alone")).items()
        assert together[trial.id] == alone, name
        ours, theirs = files(tmp_path / "together" / name), files(tmp_path / "alone" / name)
        assert ours["history"] == theirs["history"]
        assert ours["best"]["epoch"] == theirs["best"]["epoch"]
        for part, key in (
            ("last", "model"),
            ("last", "ema"),
            ("last", "optimizer"),
            ("last", "schedule"),
            ("best", "model"),
        ):
            assert_same(ours[part][key], theirs[part][key])
    bests = {json.loads(told[-1])["best_epoch"] for told in together.values()}
    assert len(bests) > 2, "the case is only of use where members choose different epochs"


def test_weights_of_one_epoch_are_one_file(make: Callable[..., dict[str, Trial]], tmp_path: Path) -> None:
    members = members_of(make(STATEFUL), tmp_path)
    run(members)
    inodes = {checkpoint.last_path(member.folder).stat().st_ino for member in members}
    ends = {len(read_history(member.folder, member.trial.id).records) for member in members}
    assert len(inodes) == len(ends) < len(members)


@pytest.mark.parametrize("num_told", [1, 12, 21, 25, 30, 35, 41])
def test_what_was_interrupted_goes_on(make: Callable[..., dict[str, Trial]], tmp_path: Path, num_told: int) -> None:
    trials = make(STATEFUL)
    straight = run(members_of(trials, tmp_path / "straight"))
    members = members_of(trials, tmp_path / "resumed")
    events = train_together(members, device="cpu")
    finished = [item.trial for item, _ in zip(events, range(num_told), strict=False) if isinstance(item, Result)]
    events.close()
    rest = run([member for member in members if member.trial.id not in finished])
    for trial, told in rest.items():
        assert told[-1] == straight[trial][-1]
    for name in trials:
        assert files(tmp_path / "resumed" / name)["history"] == files(tmp_path / "straight" / name)["history"]


def test_members_of_different_epochs_are_trained_in_turn(make_trial: MakeTrial, tmp_path: Path) -> None:
    long, short = make_trial(CONSTANT), make_trial(CONSTANT | {"training.epochs": 2})
    straight = run(members_of({"long": long, "short": short}, tmp_path / "straight"))
    ahead = train_together(members_of({"long": long}, tmp_path), device="cpu")
    assert [next(ahead).trial for _ in range(3)] == [long.id] * 3
    ahead.close()
    told = run(members_of({"long": long, "short": short}, tmp_path))
    assert (told[long.id][0], told[short.id][0]) == (Begun(long.id, 2), Begun(short.id, 0))
    assert (told[long.id][-1], told[short.id][-1]) == (straight[long.id][-1], straight[short.id][-1])


def test_a_member_goes_on_from_the_state_in_anothers_folder(make_trial: MakeTrial, tmp_path: Path) -> None:
    trials = {name: make_trial(CONSTANT | own) for name, own in {"a": {}, "b": {"evaluation.select": "none"}}.items()}
    members = members_of(trials, tmp_path)
    events = train_together(members, device="cpu")
    for _ in range(4):
        next(events)
    before = {path: path.read_bytes() for path in (tmp_path / "b/checkpoints").iterdir()}
    for _ in range(2):
        next(events)
    events.close()
    # As a kill between the two links leaves it: the second folder still has the state of the first epoch.
    for path, content in before.items():
        path.unlink()
        path.write_bytes(content)
    told = run(members)
    assert [items[0].epoch for items in told.values()] == [2, 2]


def test_a_member_with_a_fault_of_its_own_ends_alone(make_trial: MakeTrial, tmp_path: Path) -> None:
    watching = {"metric": "valid/nothing", "mode": "max", "patience": 2, "min_delta": 0.0}
    good, bad = make_trial(CONSTANT), make_trial(CONSTANT | {"training.early_stopping": watching})
    told = run(members_of({"bad": bad, "good": good}, tmp_path))
    failed = told[bad.id][-1]
    assert isinstance(failed, Failed)
    assert "watches valid/nothing" in str(failed.error)
    assert len(told[good.id]) == 1 + 4 + 1
    assert not (tmp_path / "bad/metrics.jsonl").exists()
