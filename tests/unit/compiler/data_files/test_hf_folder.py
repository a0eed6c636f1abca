"""What lint sees of a Hugging Face data set on disk: its splits and columns, and nothing that needs a package."""

import json
from pathlib import Path

import pytest

from craftc.compiler.data_files.look import look


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "other"]}')
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}, "id": {}}
    (tmp_path / "set" / "train" / "dataset_info.json").write_text(json.dumps({"features": features}))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "place", "said"),
    [
        ({"target": "lable"}, "target", 'set has no column "lable"'),
        ({"target": "label", "input": "picture"}, "input", 'set has no column "picture" beside the target'),
        ({"target": "label", "split": "test"}, "split", 'set has no split "test"'),
        ({"target": "label", "features": ["id", "size"]}, "features", 'set has no column "size"'),
        ({"target": "label", "split_columns": ["who"]}, None, 'no column "who", which data.splits names'),
    ],
)
def test_what_is_not_there_is_told(folder: Path, asked, place, said) -> None:
    [problem] = look({"kind": "hf_dataset", "path": "set"} | asked, str(folder)).problems
    assert said in problem.message
    assert problem.path[:3] == (("data", "source", place) if place else ("data", "splits"))


def test_several_mistakes_are_told_at_once(folder: Path) -> None:
    asked = {"kind": "hf_dataset", "path": "set", "target": "lable", "input": "picture"}
    assert len(look(asked, str(folder)).problems) == 2


@pytest.mark.parametrize("asked", [{"target": "label", "input": "image"}, {"target": "label"}, {"target": 3}])
def test_what_is_right_or_cannot_be_known_is_not(folder: Path, asked) -> None:
    assert look({"kind": "hf_dataset", "path": "set"} | asked, str(folder)).problems == ()
    (folder / "set" / "train" / "dataset_info.json").write_text("{")
    assert look({"kind": "hf_dataset", "path": "set"} | {"target": "nothing"}, str(folder)).problems == ()
