"""What sources give beside inputs and targets, by which samples are told apart."""

import numpy as np
import pytest
from PIL import Image

from craftc.components.errors import DataError
from craftc.components.sources.columns import Columns
from craftc.components.sources.load import as_samples, load_samples, united
from craftc.components.sources.samples import Asked


def test_a_column_of_a_table_that_tells_samples_apart_is_no_feature(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("who,a,part,y\n" + "".join(f"p{i}, {i}.5,train ,{i % 2}\n" for i in range(4)))
    source = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y"}
    found = load_samples(source, Asked(("who", "part")))
    assert found.columns == ("a",)
    assert found.by_sample["who"].tolist() == ["p0", "p1", "p2", "p3"]
    assert set(found.by_sample["part"].tolist()) == {"train"}
    with pytest.raises(DataError, match=r'has no column "whom", which data\.splits names'):
        load_samples(source, Asked(("whom",)))


def test_arrays_give_a_column_by_its_key(tmp_path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((4, 2)), targets=np.arange(4) % 2, who=np.array(list("aabb")))
    source = {"kind": "arrays", "path": str(tmp_path / "d.npz")}
    assert load_samples(source, Asked(("who",))).by_sample["who"].tolist() == list("aabb")
    with pytest.raises(DataError, match='no array "when"') as caught:
        load_samples(source, Asked(("when",)))
    assert caught.value.place == "data.splits"


def image(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)


def test_folders_of_splits_have_their_classes_united(tmp_path) -> None:
    for name in ("train/cat/1", "train/dog/2", "val/cat/3", "val/emu/4"):
        image(tmp_path / f"{name}.png")
    source = {"kind": "image_folder", "path": str(tmp_path), "size": 4}
    found = load_samples(source, Asked((), {"train": "train", "valid": "val"}))
    assert found.class_names == ("cat", "dog", "emu")
    assert found.by_sample["split"].tolist() == ["train", "train", "valid", "valid"]
    assert found.by_sample["id"].tolist() == ["train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "val/emu/4.png"]
    assert found.targets.tolist() == [0, 1, 0, 2]
    with pytest.raises(DataError, match="dev is not a folder"):
        load_samples(source, Asked((), {"train": "train", "valid": "dev"}))


def test_an_own_source_gives_columns() -> None:
    found = as_samples((np.zeros((3, 2)), [0, 1, 0], None, {"who": ["a", "b", "b"]}))
    assert found.by_sample["who"].tolist() == ["a", "b", "b"]
    with pytest.raises(DataError, match='a column "who" of shape'):
        as_samples((np.zeros((3, 2)), [0, 1, 0], None, {"who": ["a"]}))


def test_an_own_source_gives_splits() -> None:
    parts = {"train": (np.zeros((3, 2)), ["a", "b", "a"]), "test": (np.ones((2, 2)), ["c", "a"])}
    found = united(parts)
    assert found.class_names == ("a", "b", "c")
    assert found.targets.tolist() == [0, 1, 0, 2, 0]
    assert found.by_sample["split"].tolist() == ["train"] * 3 + ["test"] * 2
    with pytest.raises(DataError) as caught:
        as_samples(parts)
    assert "from_source: true" in caught.value.hint


def test_an_own_source_gives_splits_of_quantities() -> None:
    found = united({"train": (np.zeros((3, 2)), np.array([0.5, 1.5, 2.0])), "test": (np.ones((1, 2)), np.array([7.0]))})
    assert isinstance(found, Columns)
    assert found.columns["y"].values.tolist() == [0.5, 1.5, 2.0, 7.0]
    assert found.by_sample["split"].tolist() == ["train"] * 3 + ["test"]
    with pytest.raises(DataError, match="one form"):
        united({"train": (np.zeros((2, 2)), np.zeros(2)), "test": (np.ones((2, 2)), ["a", "b"])})
