"""The constant output that knows nothing of a sample."""

import numpy as np
import pytest

from craftc.components.sources.columns import Column
from craftc.training.data.prepare import PreparedData
from craftc.training.data.split import Split
from craftc.training.parts.trivial import constant_output

# Two samples of three places; the second has one, and no sample has the third.
VECTORS = np.array([[[1.0, 2.0], [4.0, 0.0], [0.0, 0.0]], [[3.0, 6.0], [0.0, 0.0], [0.0, 0.0]]], dtype=np.float32)
IS_THERE = np.array([[True, True, False], [True, False, False]])


def data_of(**columns: Column) -> PreparedData:
    return PreparedData({"train": Split(columns)}, np.zeros(0, dtype=np.int64), {})


@pytest.mark.parametrize("name", ["mean", "median"])
def test_what_fills_a_sequence_up_is_left_out(name: str) -> None:
    data = data_of(
        x=Column(VECTORS, "vectors"),
        y=Column(VECTORS, "vectors", "target"),
        targets_mask=Column(IS_THERE, "mask", "mask"),
    )
    found = constant_output(name, data)
    assert found[0].tolist() == [2.0, 4.0]
    assert found[1].tolist() == [4.0, 0.0]
    if name == "mean":
        # Of a place that train never has, the mean of all that counts.
        assert found[2].tolist() == pytest.approx([VECTORS[IS_THERE].mean()] * 2)


def test_without_a_mask_all_counts() -> None:
    data = data_of(x=Column(VECTORS, "vectors"), y=Column(VECTORS, "vectors", "target"))
    np.testing.assert_allclose(constant_output("mean", data), VECTORS.astype(float).mean(0))
    np.testing.assert_allclose(constant_output("median", data), np.median(VECTORS.astype(float), 0))
