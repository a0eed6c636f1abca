"""Splits: disjoint, exhaustive, fair and repeatable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.components.errors import DataError
from craftc.components.splits import check_disjoint, split_indices

FIRST_OF_DIGITS = [[7, 9, 13], [0, 1, 2], [21, 24, 28]]

targets_and_fractions = st.tuples(
    st.lists(st.integers(0, 4), min_size=1, max_size=120),
    st.sampled_from(
        [
            {"train": 0.6, "valid": 0.2, "test": 0.2},
            {"train": 0.7, "test": 0.3},
            {"train": 1 / 3, "a": 1 / 3, "b": 1 / 3},
        ]
    ),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=60)
@given(targets_and_fractions)
def test_every_sample_stands_in_one_split_and_shares_are_fair(
    case: tuple[list[int], dict[str, float], bool, int],
) -> None:
    labels, fractions, stratify, seed = case
    targets = np.array(labels, dtype=np.int64)
    splits = split_indices(targets, fractions, stratify=stratify, seed=seed)
    check_disjoint(splits)
    assert list(splits) == list(fractions)
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(len(targets)))
    for label in np.unique(targets) if stratify else [None]:
        group = np.ones_like(targets) if label is None else (targets == label).astype(np.int64)
        for name, fraction in fractions.items():
            assert abs(group[splits[name]].sum() - fraction * group.sum()) < 1


def test_a_seed_decides_the_split() -> None:
    targets = np.repeat(np.arange(5), 20)
    first, again, other = (
        split_indices(targets, {"train": 0.5, "test": 0.5}, stratify=True, seed=seed)["train"] for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist() != other.tolist()


def test_ties_favour_no_split() -> None:
    targets = np.repeat(np.arange(40), 3)
    splits = split_indices(targets, {"a": 0.5, "b": 0.5}, stratify=True, seed=0)
    assert 45 < len(splits["a"]) < 75


def test_fractions_must_add_up_to_one() -> None:
    with pytest.raises(ValueError, match=r"add up to 0\.9"):
        split_indices(np.zeros(4, dtype=np.int64), {"train": 0.6, "test": 0.3}, stratify=False, seed=0)


@pytest.mark.parametrize("splits", [{"train": [0, 1], "test": [1]}, {"train": [0, 0]}])
def test_a_sample_in_two_splits_is_found(splits: dict[str, list[int]]) -> None:
    with pytest.raises(DataError, match=r"sample [01]") as raised:
        check_disjoint({name: np.array(indices) for name, indices in splits.items()})
    assert raised.value.code == "data-mismatch"


def sizes(labels: list[int], fractions: dict[str, float], seed: int = 0) -> dict[str, int]:
    splits = split_indices(np.array(labels, dtype=np.int64), fractions, stratify=True, seed=seed)
    return {name: len(indices) for name, indices in splits.items()}


def each(num_classes: int, num_samples: int) -> list[int]:
    return [label for label in range(num_classes) for _ in range(num_samples)]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("labels", "fractions", "expected"),
    [
        (each(100, 2), {"train": 0.8, "valid": 0.1, "test": 0.1}, [160, 20, 20]),
        (each(100, 2), {"train": 0.6, "valid": 0.2, "test": 0.2}, [120, 40, 40]),
        (each(60, 3), {"train": 0.8, "valid": 0.1, "test": 0.1}, [144, 18, 18]),
        (each(30, 4), {"train": 0.6, "a": 0.1, "b": 0.1, "c": 0.1, "test": 0.1}, [72, 12, 12, 12, 12]),
        (each(50, 1) + [99] * 150, {"train": 0.5, "valid": 0.25, "test": 0.25}, [125, 38, 37]),
        ([*each(2, 500), 9], {"train": 0.8, "valid": 0.1, "test": 0.1}, [801, 100, 100]),
    ],
)
def test_many_small_classes_take_nothing_from_the_other_splits(
    labels: list[int], fractions: dict[str, float], expected: list[int], seed: int
) -> None:
    found = sizes(labels, fractions, seed)
    np.testing.assert_allclose(list(found.values()), expected, atol=2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(0, 3))
def test_stratified_sizes_are_the_fractions_and_no_class_misses_in_train(counts: list[int], seed: int) -> None:
    fractions = {"train": 0.7, "valid": 0.2, "test": 0.1}
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    targets = np.array(labels, dtype=np.int64)
    splits = split_indices(targets, fractions, stratify=True, seed=seed)
    check_disjoint(splits)
    assert sum(map(len, splits.values())) == len(labels)
    assert set(targets[splits["train"]].tolist()) == set(labels)
    for name, fraction in fractions.items():
        assert abs(len(splits[name]) - fraction * len(labels)) <= max(2, len(labels) / 200)


def test_the_split_of_the_digits_stays_as_it_is() -> None:
    """Those of large classes are what they were before small ones made up for each other."""
    from craftc.components.sources.bundled import digits

    fractions = {"test": 0.2, "train": 0.6, "valid": 0.2}
    splits = split_indices(digits().targets, fractions, stratify=True, seed=0)
    assert [indices[:3].tolist() for indices in splits.values()] == FIRST_OF_DIGITS
