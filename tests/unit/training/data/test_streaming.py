"""Data that does not fit on the device: streamed to it, with the very numbers of data that does."""

import math
from pathlib import Path

import pytest
import torch

from craftc.training.batched_trials.train import Findings, train_batched
from craftc.training.data.device_split import evaluation_batches, to_device, train_batches
from craftc.training.data.prepare import prepare
from craftc.training.foundation.random import epoch_order
from craftc.training.loop.trial import lay_ground, train_trial
from craftc.training.state.member import Member

CPU = torch.device("cpu")


def run(trial, folder: Path, resident_bytes: float):
    epochs = train_trial(trial, folder=folder, device="cpu", resident_bytes=resident_bytes)
    records = []
    while True:
        try:
            records.append(next(epochs).metrics)
        except StopIteration as end:
            return records, end.value


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A model that draws from torch's global generator, in the order in which it is called."""
    (tmp_path / "draws_itself.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, *, num_classes): super().__init__(64, num_classes)\n"
        "    def forward(self, x):\n"
        "        x = x.flatten(1)\n"
        "        return super().forward(x + 0.1 * torch.randn(x.shape, dtype=x.dtype))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return {"model": {"kind": "draws_itself:Net", "num_classes": "infer"}}


@pytest.mark.parametrize(
    "settings", [{}, {"training.precision": "float64"}, "own"], ids=["mlp", "float64", "own model"]
)
def test_a_streamed_trial_is_bit_by_bit_that_of_resident_data(make_trial, tmp_path, request, settings):
    settings = request.getfixturevalue("own") if settings == "own" else settings
    trial = make_trial({"training.epochs": 2} | settings)
    resident, ours = run(trial, tmp_path / "resident", math.inf)
    streamed, theirs = run(trial, tmp_path / "streamed", 0)
    assert streamed == resident
    assert theirs.model_copy(update={"seconds": ours.seconds}) == ours
    weights = [torch.load(tmp_path / way / "checkpoints/last.pt")["model"] for way in ("resident", "streamed")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_what_fits_is_resident_and_the_rest_is_streamed_in_the_same_batches(make_trial):
    data = prepare(make_trial().config["data"])
    sizes = {name: split.inputs.nbytes + split.targets.nbytes for name, split in data.splits.items()}
    whole = to_device(data.splits, CPU, resident_bytes=math.inf)
    half = to_device(data.splits, CPU, resident_bytes=sizes["valid"])
    assert {name: split.sent_to for name, split in half.items()} == {"train": CPU, "valid": None, "test": CPU}
    order = epoch_order(0, 1, len(whole["train"]))
    for name, size in (("train", 64), ("test", 7)):
        one, other = (train_batches(splits[name], order[: len(splits[name])] % 50, size) for splits in (whole, half))
        assert_same(one, other)
        assert_same(evaluation_batches(whole[name], size), evaluation_batches(half[name], size))


def assert_same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys() == {"x", "y"}
        assert all(torch.equal(batch[name], other[name]) for name in batch)


def test_trainings_on_streamed_data_are_no_batch(make_trial, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "craftc.training.batched_trials.train.lay_ground",
        lambda trial, device, prepared: lay_ground(trial, device, prepared, resident_bytes=0),
    )
    trainings = [[Member(make_trial(seed=seed), tmp_path / str(seed))] for seed in (0, 1)]
    told = train_batched(trainings, device="cpu", findings=Findings(None, print))
    assert list(told) == ["their train split does not fit on the device"]
