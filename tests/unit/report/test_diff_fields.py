"""Fields that differ: none between equals, and the same from either side."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.report.diff_fields import diff_fields
from craftc.schemas.comparison import FieldChange

SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0, "a", "b.c"])
KEYS = st.sampled_from(["kind", "lr", "model.depth", "args"])
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
SPECS = st.dictionaries(KEYS, TREES, max_size=4)
REVERSE = {"added": "removed", "removed": "added", "changed": "changed"}


def reversed_change(change: FieldChange) -> FieldChange:
    update = {"kind": REVERSE[change.kind], "a": change.b, "b": change.a}
    return change.model_copy(update=update)


@given(SPECS)
def test_equals_have_no_difference(tree: dict[str, Any]) -> None:
    assert diff_fields(tree, tree) == []


@given(SPECS, SPECS)
def test_the_other_way_round_it_is_the_reverse(a: dict[str, Any], b: dict[str, Any]) -> None:
    there = sorted(map(repr, map(reversed_change, diff_fields(a, b))))
    assert there == sorted(map(repr, diff_fields(b, a)))


@given(SPECS, SPECS)
def test_no_difference_means_equal(a: dict[str, Any], b: dict[str, Any]) -> None:
    if not diff_fields(a, b):
        assert a == b


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"x": {"n": 1}}, {"x": {"n": 2}}, [("x.n", "changed", 1, 2)]),
        ({"n": 1}, {"n": True}, [("n", "changed", 1, True)]),
        ({"search": None}, {"search": {"n": 1}}, [("search", "added", None, {"n": 1})]),
        ({"search": "none"}, {"search": {"n": 1}}, [("search", "added", None, {"n": 1})]),
        ({"search": {"n": 1}}, {}, [("search", "removed", {"n": 1}, None)]),
        ({"grid": {"a.b": [1]}}, {"grid": {"a.b": [1, 2]}}, [('grid["a.b"]', "changed", [1], [1, 2])]),
        (
            {"s": [{"kind": "warmup", "epochs": 1}, {"kind": "constant"}]},
            {"s": [{"kind": "warmup", "epochs": 2}]},
            [("s.0.epochs", "changed", 1, 2), ("s.1", "removed", {"kind": "constant"}, None)],
        ),
        (
            {"model": {"kind": "mlp", "inner": {"kind": "block", "dim": 1}}},
            {"model": {"kind": "mlp", "inner": {"kind": "block", "dim": 2}}},
            [("model.inner.dim", "changed", 1, 2)],
        ),
        (
            {"o": {"kind": "sgd", "lr": 1}},
            {"o": {"kind": "adamw", "lr": 2}},
            [("o", "changed", {"kind": "sgd", "lr": 1}, {"kind": "adamw", "lr": 2})],
        ),
    ],
)
def test_where_fields_differ(a: Any, b: Any, expected: list[Any]) -> None:
    assert [(c.path, c.kind, c.a, c.b) for c in diff_fields(a, b)] == expected
