"""Columns: what fits together and what does not, and how many outputs a target asks for."""

from typing import Any

import numpy as np
import pytest

from craftc.components.errors import DataError
from craftc.components.sources.columns import Column, Columns

X = Column(np.zeros((4, 3), dtype=np.float32), "real")


def target(values: Any, kind: Any, **more: Any) -> Column:
    return Column(np.asarray(values), kind, "target", **more)


@pytest.mark.parametrize(
    ("column", "num_outputs"),
    [
        (target([0, 2, 1, 0], "class"), 3),
        (target([0, 0, 1, 0], "class", names=("a", "b", "c")), 3),
        (target([[0, 9], [1, 0], [0, 0], [0, 0]], "class", sizes=(2, 12)), 12),
        (target(np.zeros((4, 5), dtype=np.float32), "classes"), 5),
        (target(np.zeros(4), "real"), 1),
        (target(np.zeros((4, 3)), "real"), 3),
        (target(np.zeros((4, 8, 8)), "real"), 64),
        (target([[1, 2]] * 4, "token"), 3),
    ],
)
def test_how_many_numbers_a_prediction_has(column: Column, num_outputs: int) -> None:
    columns = Columns({"x": X, "y": column})
    assert columns.columns["y"].num_outputs == num_outputs
    assert len(columns) == 4


def test_roles_are_found_in_their_order() -> None:
    ids, group = Column(np.array(list("abcd")), "class", "id"), Column(np.array([1, 1, 2, 2]), "class", "group")
    mask = Column(np.ones((4, 3), dtype=np.bool_), "mask", "mask")
    columns = Columns({"id": ids, "b": X, "mask": mask, "a": X, "site": group})
    assert columns.named("input") == ("b", "a")
    assert columns.named("mask", "group") == ("mask", "site")
    assert columns.named("target") == ()


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"y": target([0, 1], "class")}, "none of them is an input"),
        ({"x": X, "y": target([0, 1], "class")}, "they have 4 x, 2 y"),
        ({"two words": X}, '"two words" cannot be the name of a parameter'),
        ({"x": Column(np.zeros((4, 3), dtype=np.int32), "token")}, "x: token of int32, not int64"),
        ({"x": Column(np.zeros(4, dtype=np.int64), "token")}, r"x: token of shape \(4,\)"),
        ({"x": X, "y": target([0, 1, 5, 0], "class", names=("a", "b"))}, "y: numbers from 0 to 5, where there are 2"),
        ({"x": X, "y": target([0, 1, 1, 0], "class", names=("a", "a"))}, "y: two have the name a"),
        ({"x": X, "y": target([[0, 3]] * 4, "class", sizes=(2, 3))}, "y: numbers from 0 to 3, where there are 3"),
        ({"x": X, "y": target([[0, 1]] * 4, "class", sizes=(2, 3, 4))}, "y: 3 sizes for 2 categories"),
        (
            {"x": X, "y": target([[0.5]] * 4, "real"), "z": target([np.nan] * 4, "real")},
            r"z: sample 0 \(from 0\) holds",
        ),
        ({"x": X, "y": target(np.full((4, 2), 0.5, dtype=np.float32), "classes")}, "y: labels that are neither 0 nor"),
        ({"x": X, "y": target([0, 1, 1, 0], "klass")}, "y: klass in the role of target; kinds are class, classes"),
        ({"x": X, "site": Column(np.zeros((4, 2)), "class", "group")}, "site: a group of shape"),
        ({"x": Column(np.zeros((0, 3), dtype=np.float32), "real")}, "they hold nothing"),
    ],
)
def test_what_does_not_fit_together_is_named(columns: dict[str, Column], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as raised:
        Columns(columns)
    assert raised.value.code == "data-mismatch"
