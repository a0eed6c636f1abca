"""Samples in, splits out: by groups, an order, a column, a file, folds, and what each refuses."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.components.errors import DataError, raise_all
from craftc.training.data.assign_splits import assign_splits, share_of_train

THREE = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0}
RNG = np.random.RandomState(0)


def everyone(indices) -> list[int]:
    return sorted(index for chosen in indices.values() for index in chosen.tolist())


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=30, max_size=80),
    seed=st.integers(0, 100),
    stratify=st.booleans(),
)
def test_no_group_is_on_two_sides_and_sizes_are_near(sizes: list[int], seed: int, stratify: bool) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    targets = (groups % 3 == 0).astype(np.int64)
    found = assign_splits(targets, {"g": groups}, THREE | {"group": "g", "seed": seed, "stratify": stratify})
    assert found.method == "group"
    assert everyone(found.indices) == list(range(len(groups)))
    sides = [set(groups[chosen].tolist()) for chosen in found.indices.values()]
    assert sum(map(len, sides)) == len(sizes)
    for name, chosen in found.indices.items():
        assert abs(len(chosen) - THREE[name] * len(groups)) <= max(sizes)
        if stratify:
            assert abs(targets[chosen].sum() - THREE[name] * targets.sum()) <= 2 * max(sizes)


def test_groups_are_drawn_by_the_seed_alone() -> None:
    groups, targets = np.repeat(np.arange(60), 5), np.arange(300) // 5 % 2
    drawn = [assign_splits(targets, {"g": groups}, THREE | {"group": "g", "seed": s}).indices for s in (0, 0, 1)]
    assert all(np.array_equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert any(not np.array_equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


def test_fewer_groups_than_splits_are_refused() -> None:
    with pytest.raises(DataError, match="2 groups cannot be in 3 splits") as caught:
        assign_splits(np.arange(10) % 2, {"g": np.arange(10) % 2}, THREE | {"group": "g"})
    assert caught.value.code == "empty-split"


@pytest.mark.parametrize("as_text", [False, True])
def test_train_is_the_earliest_and_what_is_final_the_latest(as_text: bool) -> None:
    days = RNG.permutation(100)
    column = np.array([f"2026-{1 + day // 28:02}-{1 + day % 28:02}" for day in days]) if as_text else days
    found = assign_splits(days % 2, {"day": column}, THREE | {"order": "day"}).indices
    assert days[found["train"]].max() < days[found["valid"]].min()
    assert days[found["valid"]].max() < days[found["test"]].min()
    assert [len(found[name]) for name in ("train", "valid", "test")] == [60, 20, 20]


def test_what_is_of_one_time_is_on_one_side() -> None:
    days = np.arange(100) // 7
    found = assign_splits(np.arange(100) % 2, {"day": days}, THREE | {"order": "day"}).indices
    assert sum(len(np.unique(days[chosen])) for chosen in found.values()) == len(np.unique(days))


def test_numbers_in_text_are_in_their_order() -> None:
    found = assign_splits(np.arange(12) % 2, {"n": np.arange(12).astype(str)}, THREE | {"order": "n"}).indices
    assert found["train"].tolist() == [0, 1, 2, 3, 4, 5, 6]


GIVEN = {"stratify": True, "seed": 0}


def test_a_column_names_the_splits() -> None:
    part = np.array(["training", "val", "test", ""] * 5)
    options = GIVEN | {
        "column": "part",
        "train": {"value": "training"},
        "val": {"for": "select"},
        "test": {"for": "final"},
    }
    found = assign_splits(np.arange(20) % 2, {"part": part}, options)
    assert {name: chosen[:2].tolist() for name, chosen in found.indices.items()} == {
        "train": [0, 4], "val": [1, 5], "test": [2, 6],
    }  # fmt: skip
    assert found.num_left_out == 5


@pytest.mark.parametrize(
    ("part", "code", "match"),
    [
        (["train", "val"], "split-unusable", 'samples of "val", which is no split here'),
        (["train", "valid"], "empty-split", "has no sample of split test"),
    ],
)
def test_a_column_that_does_not_fit(part: list[str], code: str, match: str) -> None:
    [error] = assign_splits(np.arange(10) % 2, {"part": np.array(part * 5)}, GIVEN | {"column": "part"}).errors[:1]
    assert error.code == code
    assert match in error.message


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r'no column "who", which data\.splits\.group names') as caught:
        assign_splits(np.arange(10) % 2, {"when": np.arange(10)}, THREE | {"group": "who"})
    assert (caught.value.code, caught.value.hint) == ("split-unusable", "it gives when")


def test_a_group_on_both_sides_of_a_given_split_is_a_leak() -> None:
    part = np.array(["train", "valid", "test", "train"] * 5)
    who = np.array([f"p{index}" for index in range(20)])
    who[5] = "p0"
    columns = {"part": part, "who": who}
    [error] = assign_splits(np.arange(20) % 2, columns, GIVEN | {"column": "part", "group": "who"}).errors
    assert error.code == "split-leak"
    assert re.search(r'1 value of it is on two sides, .* "who": p0 in train and valid', error.message)


@pytest.mark.parametrize("ids", [None, np.array([f"img/{index}.png" for index in range(9)])])
def test_a_file_names_the_splits(tmp_path, ids) -> None:
    names = list(range(9)) if ids is None else ids.tolist()
    splits = {"train": names[:5], "valid": names[5:7], "test": names[7:]}
    (tmp_path / "s.json").write_text(json.dumps(splits))
    rows = [f"{sample},{name}" for name, samples in splits.items() for sample in samples]
    (tmp_path / "s.csv").write_text("\n".join(["sample,split", *reversed(rows)]))
    columns = {} if ids is None else {"id": ids}
    for file in ("s.json", "s.csv"):
        found = assign_splits(np.arange(9) % 2, columns, GIVEN | {"file": str(tmp_path / file)})
        assert found.indices["valid"].tolist() == [5, 6]
        assert found.indices["test"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"train": [0, 1, 2], "valid": [3], "test": [99]}', 'names sample "99", which the source does not have'),
        ('{"train": [0, 1], "valid": [1], "test": [2]}', "sample 1 in split train and in split valid"),
        ('{"craftc_splits": 1, "num_samples": 12, "splits": {}}', "is of 12 samples, and the source gives 10"),
        ("[1]", "holds no mapping of splits"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path, text: str, match: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match=match) as caught:
        raise_all(assign_splits(np.arange(10) % 2, {}, GIVEN | {"file": str(tmp_path / "s.json")}).errors)
    assert (caught.value.code, caught.value.place) == ("split-unusable", "data.splits.file")


@pytest.mark.parametrize("group", [None, "g"])
def test_each_sample_is_held_out_by_one_fold(group) -> None:
    groups, targets = np.repeat(np.arange(50), 4), np.arange(200) % 4 // 2
    options = GIVEN | {"train": 0.75, "valid": 0.25, "folds": 4} | ({"group": group} if group else {})
    folds = [assign_splits(targets, {"g": groups}, options | {"fold": fold}).indices for fold in range(4)]
    assert everyone({str(index): fold["test"] for index, fold in enumerate(folds)}) == list(range(200))
    for fold in folds:
        assert everyone(fold) == list(range(200))
        assert abs(len(fold["test"]) - 50) <= 4
        assert abs(len(fold["valid"]) - 37.5) <= 4
        if group:
            assert sum(len(np.unique(groups[chosen])) for chosen in fold.values()) == 50


def test_folds_alone_leave_the_rest_to_train() -> None:
    found = assign_splits(np.arange(27) % 3, {}, GIVEN | {"folds": 3, "fold": 1, "held": {"for": "final"}}).indices
    assert {name: len(chosen) for name, chosen in found.items()} == {"train": 18, "held": 9}


def test_a_smaller_share_of_train_is_part_of_a_larger_one() -> None:
    targets = np.arange(1000) % 10 // 3
    shares = {
        share: assign_splits(targets, {}, THREE | {"train_share": share}).indices for share in (0.05, 0.1, 0.5, 1.0)
    }
    trains = [set(found["train"].tolist()) for found in shares.values()]
    assert all(small < large for small, large in pairwise(trains))
    for share, found in shares.items():
        assert np.array_equal(found["test"], shares[1.0]["test"])
        counts = np.bincount(targets[found["train"]])
        assert np.abs(counts - share * np.bincount(targets[shares[1.0]["train"]])).max() <= 0.5


def test_a_share_keeps_one_of_each_class() -> None:
    kept = share_of_train(np.arange(100), (np.arange(100) == 7).astype(np.int64), 0.01, stratify=True, seed=0)
    assert 7 in kept
