"""What a data source of the user's own may return, and what is said of anything else."""

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from craftc.components.errors import DataError
from craftc.components.sources.columns import Columns
from craftc.components.sources.load import as_samples, load_samples

X = np.arange(12).reshape(4, 3)


def with_classes(dataset: list[tuple[object, object]]) -> list[tuple[object, object]]:
    class Dataset(list):  # type: ignore[type-arg]
        classes = ("cat", "dog", "owl")

    return Dataset(dataset)


@pytest.mark.parametrize(
    ("returned", "targets", "names"),
    [
        ((X, [2, 5, 2, 5]), [0, 1, 0, 1], ("2", "5")),
        ((X.tolist(), np.array(["b", "a", "b", "a"])), [1, 0, 1, 0], ("a", "b")),
        ((torch.tensor(X), torch.tensor([0, 1, 1, 0])), [0, 1, 1, 0], ("0", "1")),
        ((X, [0, 1, 1, 0], ["cat", "dog", "owl"]), [0, 1, 1, 0], ("cat", "dog", "owl")),
        ((X, np.array(["owl", "cat", "cat", "owl"], dtype=object), ["owl", "cat"]), [0, 1, 1, 0], ("owl", "cat")),
        ((torch.tensor(X, dtype=torch.float64, requires_grad=True), [0, 1, 1, 0]), [0, 1, 1, 0], ("0", "1")),
        ((torch.tensor(X).bfloat16(), torch.tensor([0, 1, 1, 0])), [0, 1, 1, 0], ("0", "1")),
        (TensorDataset(torch.tensor(X), torch.tensor([1, 0, 0, 1])), [1, 0, 0, 1], ("0", "1")),
        (with_classes([(x, 1) for x in X]), [1, 1, 1, 1], ("cat", "dog", "owl")),
    ],
)
def test_arrays_and_datasets_become_samples(returned: object, targets: list[int], names: tuple[str, ...]) -> None:
    samples = as_samples(returned)
    assert samples.inputs.tolist() == X.tolist()
    assert samples.targets.tolist() == targets
    assert samples.class_names == names


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({}, "it returned a dict, which holds no samples"),
        ({"y": [0, 1, 0, 1]}, "none of them is an input"),
        ({"x": X * 0.5, "when": np.array(["2020"] * 4, dtype="datetime64")}, "its column when is of type datetime64"),
        (7, "it returned an int"),
        ((X, [0, 1]), "it returned 4 inputs and 2 targets"),
        ((X, np.eye(4, dtype=int)), r"its targets are of type int64 and shape \(4, 4\)"),
        ((np.array(["a", "b"]), [0, 1]), "its inputs are of type <U1"),
        ((X, ["cat", "emu", "cat", "emu"], ["cat"]), 'its class names lack "emu"'),
        ((X, [0, 1, 2, 3], ["cat", "dog"]), "targets from 0 to 3 for 2 classes"),
        (([1.0, 2.0, 3.0], [0, 1, 0]), r"inputs of shape \(3,\)"),
        ([(X[0], 0), X[1]], "item 1 of its dataset is a ndarray, not a pair"),
        ([(X[0], 0), (X[:2], 1)], "its inputs have different shapes"),
        ((X * np.nan, [0, 1, 0, 1]), "holds NaN or infinity"),
        ((X, [0, 1, 0, 1], {"cat", "dog"}), "its class names are a set, whose order differs"),
        ((X, [0, 1, 0, 1], {"yes": 1, "no": 0}), "its class names are a mapping, of which the order says nothing"),
        ((X, [0, 1, 0, 1], "ab"), "its class names are a text"),
        ((X, [0, 1, 0, 1], ["cat", "cat"]), "two classes have the name cat"),
        ((np.zeros((4, 8, 8, 3)), [0, 1, 0, 1]), r"shape \(4, 8, 8, 3\): its channels look to be the last axis"),
    ],
)
def test_anything_else_is_named(returned: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_samples(returned)


@pytest.mark.parametrize(
    ("returned", "kinds"),
    [
        ((X, [0.5, 1.0, 0.5, 2.0]), {"x": ("real", "input"), "y": ("real", "target")}),
        ((X, np.zeros((4, 2))), {"x": ("real", "input"), "y": ("real", "target")}),
        ((X, np.eye(4, dtype=bool)), {"x": ("real", "input"), "y": ("classes", "target")}),
        ({"data": X}, {"data": ("token", "input")}),
        (
            {"tokens": torch.tensor(X), "mask": X > 2, "labels": ["a", "b", "a", "b"], "weight": [1, 2, 1, 1]},
            {
                "tokens": ("token", "input"),
                "mask": ("mask", "mask"),
                "labels": ("class", "target"),
                "weight": ("real", "weight"),
            },
        ),
        (
            {
                "numbers": X * 0.5,
                "maker": ["a", "b", "a", "c"],
                "y": np.zeros((4, 8, 8), dtype=int),
                "id": list("abcd"),
            },
            {
                "numbers": ("real", "input"),
                "maker": ("class", "input"),
                "y": ("class", "target"),
                "id": ("class", "id"),
            },
        ),
    ],
)
def test_arrays_by_name_become_columns(returned: object, kinds: dict[str, tuple[str, str]]) -> None:
    loaded = as_samples(returned)
    assert isinstance(loaded, Columns)
    assert {name: (column.kind, column.role) for name, column in loaded.columns.items()} == kinds


def test_what_a_source_raises_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        import numpy as np

        def load(*, shape):
            return np.zeros(4).reshape(shape), [0, 1]
    """
    (tmp_path / "raising_source.py").write_text(dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError) as caught:
        load_samples({"kind": "raising_source:load", "shape": [3, 3]})
    assert caught.value.code == "source-failed"
    assert caught.value.message == (
        "raising_source:load: ValueError: cannot reshape array of size 4 into shape (3,3) (raising_source.py:5)"
    )
    assert caught.value.place == "data.source"
