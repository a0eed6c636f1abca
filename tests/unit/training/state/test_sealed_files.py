"""Histories and results that were damaged: what is kept of them, and from where a trial is trained on."""

import json
import shutil

import pytest

from craftc.schemas.result import EpochRecord
from craftc.training.foundation.seal import DamagedError
from craftc.training.loop.trial import beginning_of, train_trial
from craftc.training.state.history import append_record, cut_history, read_history, write_history
from craftc.training.state.result_file import read_result, result_content

ID = "a" * 64
RECORDS = [EpochRecord(trial=ID, epoch=n, step=n, metrics={"valid/loss": 1 / n}, seconds=0.1) for n in (1, 2, 3)]


def without_seals(path):
    """As an earlier version of craftc wrote it."""
    values = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in value.items() if k != "seal"}) + "\n" for value in values))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / ID
    path.mkdir()
    for record in RECORDS:
        append_record(path, record)
    return path


def test_appended_lines_are_those_that_are_written_at_once(folder, tmp_path):
    write_history(tmp_path, RECORDS)
    assert (folder / "metrics.jsonl").read_bytes() == (tmp_path / "metrics.jsonl").read_bytes()
    assert read_history(folder, ID).records == RECORDS


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'"epoch": 2', b'"epoch": 4', "metrics.jsonl: line 2 does not have the SHA-256 of its seal"),
        (b"0.5", b"0.4", "metrics.jsonl: line 2 does not have the SHA-256 of its seal"),
    ],
)
def test_a_history_is_kept_up_to_the_damaged_line(folder, old, new, fault):
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new))
    history = read_history(folder, ID)
    assert (history.records, history.fault) == (RECORDS[:1], fault)


def test_a_history_of_another_trial_is_none(folder):
    history = read_history(folder, "b" * 64)
    assert (history.records, history.fault) == ([], f"metrics.jsonl: line 1 is of trial {ID[:12]}")


def test_a_history_without_seals_is_read_and_sealed_when_the_trial_goes_on(folder):
    without_seals(folder / "metrics.jsonl")
    history = read_history(folder, ID)
    assert (history.records, history.is_sealed) == (RECORDS, False)
    cut_history(folder, ID, 2)
    append_record(folder, RECORDS[2])
    history = read_history(folder, ID)
    assert (history.records, history.is_sealed) == (RECORDS, True)


# The first epoch is the best, so that best.pt and last.pt are of different epochs.
SPEC = {"training.epochs": 4, "evaluation.select": {"metric": "train/objective", "mode": "max"}}


def interrupted(trial, folder):
    epochs = train_trial(trial, folder=folder, device="cpu")
    for _ in range(3):
        next(epochs)
    epochs.close()


def flip_in_line_2(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"epoch", b"epocg") + lines[2])


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("metrics.jsonl", flip_in_line_2, "metrics.jsonl: line 2 does not have the SHA-256"),
        ("metrics.jsonl", lambda path: path.write_bytes(b""), "metrics.jsonl has no line 1"),
        ("metrics.jsonl", lambda path: path.unlink(), "metrics.jsonl has no line 1"),
        ("checkpoints/last.pt", lambda path: path.unlink(), "last.pt is missing"),
        ("checkpoints/last.pt", lambda path: path.write_bytes(b"x"), "last.pt does not have the SHA-256"),
    ],
)
def test_a_trial_starts_again_where_its_records_or_state_are_damaged_and_says_why(
    make_trial, run_trial, tmp_path, name, damage, said
):
    trial = make_trial(SPEC)
    records, result = run_trial(trial, tmp_path / "straight")
    folder = tmp_path / trial.id
    interrupted(trial, folder)
    damage(folder / name)
    begun = beginning_of(trial, folder)
    assert begun.epoch == 0
    assert begun.warning is not None
    assert begun.warning.startswith("it starts again from its first epoch")
    assert said in begun.warning
    again, same = run_trial(trial, folder)
    assert [record.metrics for record in again] == [record.metrics for record in records]
    assert (same.best, same.last, same.best_epoch) == (result.best, result.last, result.best_epoch)
    assert read_history(folder, trial.id).fault is None


def test_an_interrupted_trial_goes_on_without_a_word(make_trial, tmp_path):
    trial = make_trial(SPEC)
    interrupted(trial, tmp_path)
    begun = beginning_of(trial, tmp_path)
    assert (begun.epoch, begun.warning) == (3, None)


def test_a_result_is_that_of_its_trial_and_of_its_history(make_trial, run_trial, tmp_path):
    trial, other = make_trial({"training.epochs": 2}), make_trial({"training.epochs": 2, "training.batch_size": 512})
    for each in (trial, other):
        folder = tmp_path / each.id
        _, result = run_trial(each, folder)
        (folder / "result.json").write_bytes(result_content(result.model_copy(update={"trial": each.id}), folder))
    folder = tmp_path / trial.id
    assert read_result(folder).is_sealed

    kept = (folder / "metrics.jsonl").read_bytes()
    without_seals(folder / "metrics.jsonl")
    with pytest.raises(DamagedError, match=r"names another metrics\.jsonl than the one beside it"):
        read_result(folder)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(DamagedError, match=r"names another metrics\.jsonl"):
        read_result(folder)
    (folder / "metrics.jsonl").write_bytes(kept)

    content = json.loads((folder / "result.json").read_text())
    del content["seal"], content["history"]
    (folder / "result.json").write_text(json.dumps(content, indent=2))
    with pytest.raises(DamagedError, match="has lost its seal"):
        read_result(folder)
    without_seals(folder / "metrics.jsonl")
    assert not read_result(folder).is_sealed

    shutil.copyfile(tmp_path / other.id / "result.json", folder / "result.json")
    with pytest.raises(DamagedError, match=f"is that of trial {other.id[:12]}"):
        read_result(folder)
