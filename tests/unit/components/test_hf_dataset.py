"""Data sets of Hugging Face's `datasets` on disk: images, arrays and tables."""

import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from craftc.components.build import build
from craftc.components.errors import DataError


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data set of Hugging Face's in two splits, and what train was made of."""
    rng = np.random.default_rng(0)
    rows = {
        "image": list(rng.integers(0, 256, (12, 8, 8), dtype=np.uint8)),
        "vector": list(rng.normal(size=(12, 3)).astype(np.float32)),
        "maker": ["ford", "vw", None] * 4,
        "hp": [1.5, None, 2.5, 3.5] * 3,
        "label": [0, 1, -1] * 4,
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "vector": datasets.List(datasets.Value("float32"), length=3),
            "maker": datasets.Value("string"),
            "hp": datasets.Value("float64"),
            "label": datasets.ClassLabel(names=["dog", "cat"]),
        }
    )
    images = [Image.fromarray(image) for image in rows["image"]]
    made = datasets.Dataset.from_dict({**rows, "image": images}, features=features)
    path = tmp_path_factory.mktemp("hf") / "data"
    datasets.DatasetDict({"train": made, "other": made.select(range(3))}).save_to_disk(str(path))
    return path, rows


def from_disk(path: Path, **arguments: Any) -> Any:
    return build("sources", {"kind": "hf_dataset", "path": path, "target": "label", "unlabelled": "drop", **arguments})


LABELLED = [index for index in range(12) if index % 3 != 2]


def test_images_and_arrays_of_a_hugging_face_data_set(on_disk: tuple[Path, dict[str, Any]]) -> None:
    path, rows = on_disk
    images = from_disk(path, input="image", size=8)
    np.testing.assert_allclose(images.inputs, np.stack(rows["image"])[LABELLED] / 255, atol=1e-6)
    # Classes are in the order of every source, not of the ClassLabel.
    assert images.class_names == ("cat", "dog")
    assert [images.class_names[number] for number in images.targets] == ["dog", "cat"] * 4
    vectors = from_disk(path, input="vector")
    np.testing.assert_array_equal(vectors.inputs, np.stack(rows["vector"])[LABELLED])
    assert len(from_disk(path, input="image", split="other").targets) == 2


def test_plain_values_of_a_hugging_face_data_set_are_a_table(on_disk: tuple[Path, dict[str, Any]]) -> None:
    path, rows = on_disk
    found = from_disk(path, impute="mean")
    assert (found.number_names, found.category_names, found.class_names) == (("hp",), ("maker",), ("cat", "dog"))
    expected = np.array([np.nan if rows["hp"][i] is None else rows["hp"][i] for i in LABELLED])
    np.testing.assert_array_equal(found.numbers[:, 0], expected)
    assert [("ford", "vw")[code] for code in found.categories[:, 0]] == [rows["maker"][i] for i in LABELLED]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "nowhere"}, 'no split "nowhere"'),
        ({"input": "nowhere"}, 'no column "nowhere"'),
        ({"input": "maker"}, "no samples can be made"),
        ({"input": "image", "unlabelled": "refuse"}, "sample 2 .* has no label"),
        ({"target": "nowhere"}, 'no column "nowhere"'),
        ({}, "impute: median"),
    ],
)
def test_what_is_wrong_with_a_hugging_face_data_set(
    arguments: dict[str, Any], message: str, on_disk: tuple[Path, dict[str, Any]]
) -> None:
    with pytest.raises(DataError) as raised:
        from_disk(on_disk[0], **arguments)
    assert re.search(message, str(raised.value)), str(raised.value)


def test_what_is_no_data_set_of_hugging_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data set"):
        from_disk(tmp_path)
