"""Prepared data in files: read instead of made, mapped and not copied, made again where damaged or out of date."""

import json
import logging
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from craftc.components.errors import DataError
from craftc.training.data import prepared_files
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import PreparedData, _prepare, prepare
from craftc.training.data.prepared_files import Shelf, take

DATA: dict[str, Any] = {
    "source": {"kind": "arrays", "path": "", "inputs": "inputs", "targets": "targets"},
    "splits": {"train": 0.6, "valid/odd name": 0.2, "test": 0.2, "stratify": True, "seed": 0},
    "normalize": {"kind": "per_line"},
    "augment": [],
}


@pytest.fixture(autouse=True)
def _all_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_files, "WORTH_S", 0.0)
    _prepare.cache_clear()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "prepared", "f" * 64)


def write_source(path: Path, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    np.savez(path, inputs=rng.normal(size=(60, 4, 5)).astype(np.float32), targets=np.arange(60) % 3)
    return DATA | {"source": DATA["source"] | {"path": str(path)}}


def read_again(data: dict[str, Any], shelf: Shelf) -> PreparedData:
    """As another process does, whose memory is empty."""
    _prepare.cache_clear()
    return prepare(data, shelf)


def is_mapped(data: PreparedData) -> bool:
    return all(isinstance(split.inputs, np.memmap) for split in data.splits.values())


def assert_same(one: PreparedData, other: PreparedData) -> None:
    assert (list(one.splits), one.class_names, one.facts) == (list(other.splits), other.class_names, other.facts)
    assert np.array_equal(one.class_counts, other.class_counts)
    for name, split in one.splits.items():
        assert np.array_equal(split.inputs, other.splits[name].inputs)
        assert np.array_equal(split.targets, other.splits[name].targets)


def test_the_second_process_reads_what_the_first_made(tmp_path: Path, shelf: Shelf) -> None:
    data = write_source(tmp_path / "x.npz")
    made = prepare(data, shelf)
    read = read_again(data, shelf)
    assert is_mapped(read)
    assert not is_mapped(made)
    assert_same(made, read)


def test_torch_takes_the_mapped_memory_without_a_copy(tmp_path: Path, shelf: Shelf) -> None:
    data = write_source(tmp_path / "x.npz")
    prepare(data, shelf)
    read = read_again(data, shelf)
    splits = to_device(read.splits, torch.device("cpu"))
    assert splits["train"].x.data_ptr() == read.splits["train"].inputs.ctypes.data
    # A write stays in this process.
    splits["train"].x.zero_()
    assert read_again(data, shelf).splits["train"].inputs.any()


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest", "no manifest", "order of classes"])
def test_what_is_damaged_is_noticed_and_made_again(
    tmp_path: Path, shelf: Shelf, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_source(tmp_path / "x.npz")
    made = prepare(data, shelf)
    array, manifest = shelf.folder / "x_0.npy", shelf.folder / "manifest.json"
    content = bytearray(array.read_bytes())
    content[-3] ^= 1
    match damage:
        case "flip":
            array.write_bytes(content)
        case "cut":
            array.write_bytes(content[:-8])
        case "remove":
            array.unlink()
        case "manifest":
            manifest.write_text(manifest.read_text()[:40])
        case "order of classes":
            about = json.loads(manifest.read_text())
            about["about"]["columns"]["y"]["names"].reverse()
            manifest.write_text(json.dumps(about))
        case _:
            manifest.unlink()
    with caplog.at_level(logging.WARNING):
        assert_same(read_again(data, shelf), made)
    assert "is made again" in caplog.text
    assert is_mapped(read_again(data, shelf))


def test_a_changed_source_is_never_read_from_old_files(tmp_path: Path, shelf: Shelf) -> None:
    data = write_source(tmp_path / "x.npz")
    made = prepare(data, shelf)
    write_source(tmp_path / "x.npz", seed=1)
    os.utime(tmp_path / "x.npz", ns=(1, 1))
    again = read_again(data, shelf)
    assert not np.array_equal(again.splits["train"].inputs, made.splits["train"].inputs)
    assert_same(read_again(data, shelf), again)


def test_another_craftc_makes_its_own(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_source(tmp_path / "x.npz")
    prepare(data, shelf)
    monkeypatch.setattr("craftc.__version__", "another")
    assert not is_mapped(read_again(data, shelf))


def test_quick_data_leaves_a_note_and_no_arrays(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_files, "WORTH_S", 1e9)
    data = write_source(tmp_path / "x.npz")
    assert_same(prepare(data, shelf), read_again(data, shelf))
    assert [path.name for path in shelf.folder.iterdir()] == ["manifest.json"]
    assert json.loads((shelf.folder / "manifest.json").read_text())["about"] is None


def test_a_fault_in_the_data_is_told_each_time(tmp_path: Path, shelf: Shelf) -> None:
    np.savez(tmp_path / "x.npz", inputs=np.ones((9, 4, 5)), targets=np.zeros(9, dtype=int))
    data = DATA | {"source": DATA["source"] | {"path": str(tmp_path / "x.npz")}}
    for _ in range(2):
        with pytest.raises(DataError, match="all 9 samples are of one class"):
            read_again(data, shelf)


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    data = write_source(tmp_path / "x.npz")
    with caplog.at_level(logging.WARNING):
        assert_same(prepare(data, Shelf(tmp_path / "file" / "prepared", "f" * 64)), prepare(data))
    assert "kept by this process alone" in caplog.text


def make_slowly(shelf: Shelf, log: Path) -> None:
    def make() -> Any:
        with open(log, "a") as file:
            file.write("made\n")
        return {"x": np.arange(1000.0)}, {}

    arrays, _ = take(shelf, [], make)
    assert arrays["x"].sum() == 499500


def test_of_many_processes_one_makes_it(tmp_path: Path, shelf: Shelf) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=make_slowly, args=(shelf, tmp_path / "log")) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 6
    assert (tmp_path / "log").read_text() == "made\n"
    assert [path.name for path in shelf.root.iterdir() if not path.name.endswith(".lock")] == [shelf.fingerprint]
