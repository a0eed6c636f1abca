"""Checkpoints that are killed half-way, tampered with, or of another trial."""

import hashlib
import logging
import os

import pytest
import torch

from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import num_epochs_trained, train_trial
from craftc.training.state import checkpoint
from craftc.training.state.packing import packed, unpacked

FEW = {"training.epochs": 2}
# The first epoch is the best, so that best.pt and last.pt are of different epochs.
FIRST_IS_BEST = {"training.epochs": 3, "evaluation.select": {"metric": "train/objective", "mode": "max"}}


def interrupt(trial, folder, num_epochs):
    epochs = train_trial(trial, folder=folder, device="cpu")
    for _ in range(num_epochs):
        next(epochs)
    epochs.close()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_checkpoint_stands_beside_its_digest(make_trial, run_trial, tmp_path):
    run_trial(make_trial(FEW), tmp_path)
    for name in ("best.pt", "last.pt"):
        path = tmp_path / "checkpoints" / name
        newest = path.with_name(f"{name}.sha256").read_text().splitlines()[0]
        assert newest == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}"


def test_no_temporary_file_is_left(make_trial, run_trial, tmp_path):
    run_trial(make_trial(FEW), tmp_path)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best.pt", "best.pt.sha256", "last.pt", "last.pt.sha256"]


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_a_tampered_checkpoint_makes_the_trial_start_again_with_a_warning(
    make_trial, run_trial, tmp_path, caplog, name
):
    trial = make_trial(FIRST_IS_BEST)
    straight, expected = run_trial(trial, tmp_path / "straight")
    folder = tmp_path / "tampered"
    interrupt(trial, folder, 2)
    flip_a_bit(folder / "checkpoints" / name)
    assert num_epochs_trained(trial, folder) == 0
    with caplog.at_level(logging.WARNING):
        records, result = run_trial(trial, folder)
    assert "starts again from its first epoch" in caplog.text
    assert f"{name} does not have the SHA-256" in caplog.text
    assert [record.metrics for record in records] == [record.metrics for record in straight]
    assert (result.best, result.last) == (expected.best, expected.last)
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3


def test_best_weights_that_rot_before_the_end_are_refused(make_trial, tmp_path):
    trial = make_trial(FIRST_IS_BEST)
    epochs = train_trial(trial, folder=tmp_path, device="cpu")
    for _ in range(3):
        next(epochs)
    flip_a_bit(tmp_path / "checkpoints" / "best.pt")
    with pytest.raises(TrainingError, match=r"best\.pt does not have the SHA-256") as caught:
        next(epochs)
    assert caught.value.code == "checkpoint-corrupt"


def test_another_trials_checkpoint_is_refused(make_trial, run_trial, tmp_path, caplog):
    interrupt(make_trial(FEW), tmp_path, 1)
    records, _ = run_trial(make_trial(FEW, seed=1), tmp_path)
    assert len(records) == 2
    assert "is of format 2 and trial" in caplog.text


def test_a_checkpoint_of_another_order_of_classes_is_refused(make_trial, run_trial, tmp_path):
    trial = make_trial(FEW)
    interrupt(trial, tmp_path, 1)
    path = tmp_path / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    assert state["classes"] == list("0123456789")
    state["classes"][2:4] = ["3", "2"]
    torch.save(state, path)
    path.with_name("last.pt.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  last.pt\n")
    with pytest.raises(TrainingError, match="another order of classes: class 2 was '3' and is '2' now") as raised:
        run_trial(trial, tmp_path)
    assert raised.value.code == "classes-differ"


def test_a_checkpoint_that_names_no_classes_is_gone_on_from(make_trial, run_trial, tmp_path):
    """As those of earlier versions."""
    trial = make_trial(FEW)
    _, expected = run_trial(trial, tmp_path / "straight")
    interrupt(trial, tmp_path / "old", 1)
    path = tmp_path / "old" / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    del state["classes"]
    torch.save(state, path)
    path.with_name("last.pt.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  last.pt\n")
    records, result = run_trial(trial, tmp_path / "old")
    assert [record.epoch for record in records] == [2]
    assert (result.last, result.classes) == (expected.last, tuple("0123456789"))


def test_a_kill_between_sidecar_and_checkpoint_loses_nothing(make_trial, run_trial, tmp_path, monkeypatch):
    replace = os.replace

    def killed(source, path):
        if path.name == "last.pt":
            raise KeyboardInterrupt
        replace(source, path)

    trial = make_trial({"training.epochs": 3})
    straight, _ = run_trial(trial, tmp_path / "straight")
    folder = tmp_path / "killed"
    interrupt(trial, folder, 1)
    monkeypatch.setattr("os.replace", killed)
    # Twice at the same place: the sidecar then announces a file that came neither time.
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_trial(trial, folder)
        assert num_epochs_trained(trial, folder) == 1
    monkeypatch.undo()
    records, _ = run_trial(trial, folder)
    assert [record.metrics for record in records] == [record.metrics for record in straight[1:]]


def test_a_kill_between_last_and_best_is_mended(make_trial, run_trial, tmp_path):
    trial = make_trial({"training.epochs": 3})
    _, expected = run_trial(trial, tmp_path / "straight")
    folder = tmp_path / "killed"
    interrupt(trial, folder, 2)
    checkpoint.best_path(folder).unlink()
    _, result = run_trial(trial, folder)
    assert (result.best, result.best_epoch) == (expected.best, expected.best_epoch)


def test_a_kill_between_history_and_checkpoint_leaves_no_line_twice(make_trial, run_trial, tmp_path):
    trial = make_trial({"training.epochs": 3})
    interrupt(trial, tmp_path, 1)
    line = (tmp_path / "metrics.jsonl").read_text()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(line.replace('"epoch": 1', '"epoch": 2') + line[:30])
    run_trial(trial, tmp_path)
    epochs = [line.split('"epoch": ')[1][0] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert epochs == ["1", "2", "3"]


def test_a_checkpoint_of_the_format_before_is_gone_on_from(make_trial, run_trial, tmp_path):
    trial = make_trial({"training.epochs": 3})
    straight, _ = run_trial(trial, tmp_path / "straight")
    folder = tmp_path / "before"
    interrupt(trial, folder, 1)
    path = checkpoint.last_path(folder)
    state = torch.load(path, weights_only=True)
    torch.save(state | {"format": 1, "optimizer": unpacked(state["optimizer"])}, path)
    path.with_name("last.pt.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  last.pt\n")
    records, _ = run_trial(trial, folder)
    assert [record.metrics for record in records] == [record.metrics for record in straight[1:]]


def test_a_packed_state_is_unpacked_as_it_was():
    tensors = [torch.arange(6).view(2, 3), torch.rand(2, 2).T, torch.rand(()), torch.rand(2**15), torch.rand(0, 3)]
    state = {"state": {0: {"step": tensors[2]}, 1: tensors}, "groups": [{"betas": (0.9, 0.99), "lr": None}]}
    content = packed(state)
    torch.testing.assert_close(unpacked(content)["state"], state["state"], rtol=0, atol=0)
    assert unpacked(content)["groups"] == state["groups"]


def test_a_checkpoint_holds_no_code(make_trial, run_trial, tmp_path):
    run_trial(make_trial(FEW), tmp_path)
    assert torch.load(checkpoint.last_path(tmp_path), weights_only=True)["progress"]["epoch"] == 2
