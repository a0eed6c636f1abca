"""Data with several mistakes is refused with all of them; what follows from another mistake is not told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from craftc.components.errors import DataError
from craftc.components.sources.load import load_samples
from craftc.components.sources.samples import Samples
from craftc.components.sources.tokens import characters
from craftc.training.data.facts import infer_facts
from craftc.training.data.split_samples import split_samples

RNG = np.random.RandomState(0)
GIVEN = {"stratify": True, "seed": 0}


def refused(call, *args, **kwargs) -> list[tuple[str, str]]:
    with pytest.raises(DataError) as caught:
        call(*args, **kwargs)
    return [(error.code, error.message) for error in caught.value.all]


def test_a_file_of_splits(tmp_path: Path) -> None:
    inputs = RNG.rand(20, 3).astype(np.float32)
    inputs[12] = inputs[0]
    samples = Samples(inputs, np.arange(20) % 2, ("a", "b"), by_sample={"who": np.arange(20) // 2})
    splits = {"train": [*range(9), 50, 51], "valid": [9, 12, 13, 8], "holdout": [14]}
    (tmp_path / "s.json").write_text(json.dumps(splits))
    options = GIVEN | {"file": str(tmp_path / "s.json"), "group": "who"}
    found = refused(split_samples, samples, options)
    assert [code for code, _ in found] == [
        "split-unusable", "split-unusable", "split-unusable", "empty-split", "split-leak", "split-leak",
    ]  # fmt: skip
    messages = [message for _, message in found]
    assert 'names samples "50", "51", which the source does not have' in messages[0]
    assert "sample 8 in split train and in split valid" in messages[1]
    assert 'samples of "holdout", which is no split here' in messages[2]
    assert "no sample of split test" in messages[3]
    assert '1 value of it is on two sides, though data.splits.group is "who": 4 in train and valid' in messages[4]
    assert "sample 12 of valid is sample 0" in messages[5]


def test_a_split_whose_samples_are_unknown_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample,split\n0,train\n1,train\n2,valid\n77,test\n")
    samples = Samples(RNG.rand(4, 2).astype(np.float32), np.arange(4) % 2, ("a", "b"))
    [(code, message)] = refused(split_samples, samples, GIVEN | {"file": str(tmp_path / "s.csv")})
    assert code == "split-unusable"
    assert 'names sample "77"' in message


def test_classes_and_empty_splits() -> None:
    samples = Samples(RNG.rand(6, 2).astype(np.float32), np.zeros(6, np.int64), ("a",))
    shares = {"train": 0.9, "valid": 0.05, "test": 0.05, "stratify": False, "seed": 0}
    assert [code for code, _ in refused(split_samples, samples, shares)] == [
        "single-class", "empty-split", "empty-split",
    ]  # fmt: skip


def test_the_splits_of_a_text() -> None:
    shares = {"train": 0.8, "valid": 0.1, "test": 0.1, "stratify": True, "seed": 0}
    found = refused(split_samples, characters("ab" * 20, context_length=9, min_count=1), shares)
    assert [message.partition(":")[0] for _, message in found] == ["split valid is empty", "split test is empty"]
    found = refused(split_samples, characters("ab" * 40 + "acacacacad", context_length=4, min_count=1), shares)
    assert [message for _, message in found] == ["split test has tokens that train does not have: 'c', 'd'"]


@pytest.mark.parametrize("roles", [{}, {"columns": {"age": "number", "pay": "number"}}])
def test_the_cells_of_a_table(tmp_path: Path, roles) -> None:
    rows = [f"{20 + at},{at * 10.5},{'ab'[at % 2]}" for at in range(30)]
    rows[3], rows[7], rows[9] = "old,1.5,a", "31,much,b", "32,2.5,"
    (tmp_path / "people.csv").write_text("\n".join(["age,pay,y", *rows]))
    found = refused(load_samples, {"kind": "csv", "path": str(tmp_path / "people.csv"), "target": "y"} | roles)
    assert any("row 10 below the header" in message and "no label" in message for _, message in found)
    assert any('row 4 below the header, column "age"' in message for _, message in found)
    # Without roles, bad cells are counted in one message; with them, a column may be one by mistake.
    assert any('column "pay"' in message or "1 more cell" in message for _, message in found)


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "0.png")
        (tmp_path / name / "1.png").write_bytes(b"no image")
    found = refused(load_samples, {"kind": "image_folder", "path": str(tmp_path)})
    assert [message.partition(" cannot")[0].rpartition("/")[0] for _, message in found] == [
        str(tmp_path / "cat"), str(tmp_path / "dog"),
    ]  # fmt: skip


def test_the_arguments_of_a_component() -> None:
    model = {"kind": "mlp", "num_features": 5, "num_classes": 7, "num_lines": "infer"}
    assert [message for _, message in refused(infer_facts, model, {"num_features": 4, "num_classes": 3})] == [
        "model.num_features is 5, but the data has 4",
        "model.num_classes is 7, but the data has 3",
        "model.num_lines is to be inferred, but the data has no num_lines; it has num_features: 4, num_classes: 3",
    ]
