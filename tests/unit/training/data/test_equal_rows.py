"""Equal rows that chance explains are told from copies of samples."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

from craftc.components.errors import DataError
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.samples import Samples
from craftc.training.data.duplicates import copies, sample_digests
from craftc.training.data.equal_rows import equal_by_chance
from craftc.training.data.split_samples import split_samples

SPLITS = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0}


def halves(num: int):
    order = np.random.RandomState(9).permutation(num)
    return {"train": np.sort(order[: num // 2]), "test": np.sort(order[num // 2 :])}


def codes(num: int, *sizes: int) -> np.ndarray:
    rng = np.random.RandomState(0)
    return np.stack([rng.randint(0, size, num) for size in sizes], axis=1).astype(np.float32)


def towns(num: int) -> np.ndarray:
    town = np.random.RandomState(1).randint(0, 500, num)
    return np.concatenate([np.stack([town, town // 10, town // 100], axis=1), codes(num, 2, 3)], axis=1)


@pytest.mark.parametrize(
    "rows", [codes(400, 4, 4, 4), codes(400, *[2] * 8), codes(400, 5), codes(900, 9, 9), towns(3000)]
)
def test_the_estimate_is_near_what_chance_brings(rows: np.ndarray) -> None:
    indices = halves(len(rows))
    found = len(copies(sample_digests([rows]), indices).pairs)
    assert found > 30
    assert 0.7 * found <= equal_by_chance([rows], indices) <= 1.4 * found


def samples(inputs: np.ndarray) -> Samples:
    return Samples(inputs.astype(np.float64), np.arange(len(inputs)) % 2, ("a", "b"))


def continuous(num: int, width: int = 3) -> np.ndarray:
    return np.random.RandomState(2).rand(num, width)


@pytest.mark.parametrize("inputs", [codes(300, 4, 4, 4), codes(500, *[2] * 8), codes(300, 6), load_iris().data])
def test_equal_rows_of_few_values_are_a_warning(inputs: np.ndarray) -> None:
    quiet = split_samples(samples(inputs), SPLITS | {"allow_duplicates": True})
    assert quiet.warnings == ()
    for seed in range(5):
        found = split_samples(samples(inputs), SPLITS | {"seed": seed})
        assert {warning.code for warning in found.warnings} <= {"equal-rows"}
    assert "in train too" in split_samples(samples(codes(300, 4, 4, 4)), SPLITS).warnings[0].message


@pytest.mark.parametrize(
    "inputs",
    [
        np.concatenate([continuous(300), continuous(300)[:5]]),
        np.concatenate([continuous(300, 1), continuous(300, 1)[:20]]),
        np.repeat(continuous(300), 10, axis=0),
        np.concatenate([np.concatenate([continuous(300, 1), codes(300, 3, 3)], axis=1)] * 2),
        np.concatenate([codes(300, *[4] * 6)] * 2),
        np.concatenate([load_digits().data, load_digits().data[:20]]),
    ],
    ids=["5 copies", "one column", "drawn ten times", "a continuous column", "many categories", "digits as a table"],
)
def test_copies_are_a_leak(inputs: np.ndarray) -> None:
    with pytest.raises(DataError) as caught:
        split_samples(samples(inputs), SPLITS)
    assert caught.value.code == "split-leak"


def test_images_and_texts_of_few_values_are_copies_all_the_same() -> None:
    inputs = codes(200, *[2] * 4).reshape(200, 2, 2)
    with pytest.raises(DataError, match="in train too"):
        split_samples(samples(inputs), SPLITS)


def test_rows_of_several_columns_are_taken_together() -> None:
    few = Column(codes(300, 3, 3).astype(np.int64), "class", sizes=(3, 3))
    target = Column(np.arange(300) % 2, "class", "target", ("a", "b"))
    numbers = Column(np.concatenate([continuous(290), continuous(290)[:10]]), "real")
    found = split_samples(Columns({"codes": few, "y": target}), SPLITS)
    assert [warning.code for warning in found.warnings] == ["equal-rows"]
    repeated = few.with_values(np.concatenate([few.values[:290], few.values[:10]]))
    with pytest.raises(DataError, match="in train too"):
        split_samples(Columns({"numbers": numbers, "codes": repeated, "y": target}), SPLITS)
