"""Columns that never vary are told, with their names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craftc.components.build import build
from craftc.components.sources.samples import Samples

TARGETS = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("inputs", "columns", "said"),
    [
        ([[1, 5, 2], [2, 5, 3], [3, 5, 4]], ("a", "b", "c"), 'column "b" has the same number in every sample, 5'),
        ([[1, 5], [2, 5], [3, 5]], (), "column 2 has the same number in every sample, 5"),
        ([[1, 5, 0], [2, 5, 0], [3, 5, 0]], ("a", "b", "c"),
         '2 columns have the same number in every sample: "b", "c"'),
        ([[1] + [0] * 8, [2] + [0] * 8, [3] + [0] * 8], (),
         "8 columns have the same number in every sample: 2, 3, 4, 5, 6 and 3 more"),
        ([[5, 0]] * 3, ("a", "b"),
         "all 2 columns have the same number in every sample: a model learns nothing of them"),
        ([[[5, 5]]] * 3, (), "every number of all 3 samples is 5"),
    ],
)  # fmt: skip
def test_what_never_varies_is_told(inputs: Any, columns: tuple[str, ...], said: str) -> None:
    samples = Samples(np.array(inputs, dtype=np.float64), TARGETS, ("x", "y"), columns)
    [warning] = samples.warnings
    assert (warning.code, warning.message) == ("column-constant", said)
    assert replace(samples, targets=TARGETS).warnings == samples.warnings


@pytest.mark.parametrize("inputs", [[[1, 5], [2, 5], [3, 4]], [[[0, 5]], [[0, 4]], [[0, 3]]]])
def test_what_varies_is_not(inputs: Any) -> None:
    assert Samples(np.array(inputs, dtype=np.float64), TARGETS, ("x", "y")).warnings == ()


def test_of_a_file_and_without_the_column(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,y\n1,5,x\n2,5,z\n")
    source = {"kind": "csv", "path": tmp_path / "d.csv", "target": "y"}
    assert [each.message for each in build("sources", source).warnings] == [
        'column "b" has the same number in every sample, 5'
    ]
    assert build("sources", {**source, "features": ["a"]}).warnings == ()
    np.savez(tmp_path / "d.npz", inputs=[[1, 5], [2, 5]], targets=[0, 1])
    [warning] = build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).warnings
    assert warning.message == "column 2 has the same number in every sample, 5"
