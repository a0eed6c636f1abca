"""What a value has to be: each kind of check, what fits, what does not and why, and what is kept."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.schemas.fit import (
    Fit,
    Violation,
    ViolationError,
    anything,
    either,
    items,
    mapping,
    number,
    of_type,
    one_of_values,
    or_null,
    text,
    unless_none,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def tried(fit: Fit, value: Any) -> tuple[Any, list[tuple[Any, str]]]:
    """What is kept, and the places that do not fit, with why."""
    violations: list[Violation] = []
    kept = fit(value, ("at",), violations)
    return kept, [(path[1:], kind) for path, kind, _ in violations]


def why(fit: Fit, value: Any) -> list[tuple[Any, str]]:
    return tried(fit, value)[1]


TYPE, BOUNDS, CHOICE, PATTERN = ([((), kind)] for kind in ("type", "bounds", "choice", "pattern"))


@pytest.mark.parametrize(
    ("fit", "value", "violations"),
    [
        (text(), "", []),
        (text(), 1, TYPE),
        (text({"minLength": 1}), "", BOUNDS),
        (text({"maxLength": 2}), "abc", BOUNDS),
        (text({"maxLength": 2}), ["a"], TYPE),
        (text({"pattern": "^[a-z]+$"}), "abc", []),
        (text({"pattern": "^[a-z]+$"}), "abc\n", PATTERN),
        (text({"pattern": "^[a-z]+$"}), "a1", PATTERN),
        (number(), True, TYPE),
        (number(), "1", TYPE),
        (number(), None, TYPE),
        (number(), math.inf, TYPE),
        (number(), math.nan, TYPE),
        (number(), 10**400, TYPE),
        (number(whole=True), 1.0, TYPE),
        (number(whole=True), False, TYPE),
        (number({"minimum": 0}), 0, []),
        (number({"minimum": 0}), -1e-9, BOUNDS),
        (number({"exclusiveMinimum": 0}), 0, BOUNDS),
        (number({"maximum": 1}), 1.0, []),
        (number({"exclusiveMaximum": 1}), 1, BOUNDS),
        (number({"exclusiveMaximum": 1}), 0.999, []),
        (number({"multipleOf": 8}, whole=True), 24, []),
        (number({"multipleOf": 8}, whole=True), 25, BOUNDS),
        (number({"multipleOf": 0.1}), 0.3, []),
        (number({"multipleOf": 0.1}), 0.35, BOUNDS),
        (number({"minimum": 1}, whole=True), 10**400, []),
        (of_type(bool), True, []),
        (of_type(bool), 1, TYPE),
        (of_type(None), None, []),
        (of_type(None), False, TYPE),
        (one_of_values(["a", 1]), "a", []),
        (one_of_values(["a", 1]), True, CHOICE),
        (one_of_values(["a", 1]), "1", CHOICE),
        (one_of_values([False]), 0, CHOICE),
        (items(number()), [1, 2.5], []),
        (items(number()), [1, "x", None], [((1,), "type"), ((2,), "type")]),
        (items(number()), (1, 2), TYPE),
        (items(number(), as_tuple=True), (1, 2), []),
        (items(number()), {"a": 1}, TYPE),
        (items(number(), {"minItems": 1}), [], BOUNDS),
        (items(number(), {"maxItems": 1}), ["x", "y"], BOUNDS),
        (mapping(number()), {"a": 1, "b": "x"}, [(("b",), "type")]),
        (mapping(number()), [1], TYPE),
        (mapping(anything, {"minProperties": 1}), {}, BOUNDS),
        (mapping(anything, {"maxProperties": 1}), {"a": 1, "b": 2}, BOUNDS),
        (mapping(items(number())), {"a": [1, "x"]}, [(("a", 1), "type")]),
        (either([number(), text()]), "x", []),
        (either([number({"minimum": 0}), text()]), -1, [((), "bounds"), ((), "type")]),
        (unless_none(number()), "none", []),
        (unless_none(number()), None, TYPE),
        (unless_none(number()), "nothing", TYPE),
        (or_null(number()), None, []),
        (or_null(number()), "none", TYPE),
    ],
)
def test_what_fits_and_why_not(fit: Fit, value: Any, violations: list[tuple[Any, str]]) -> None:
    assert why(fit, value) == violations


@pytest.mark.parametrize(
    ("fit", "value", "kept"),
    [
        (number(), 1, 1.0),
        (number(whole=True), 1, 1),
        (one_of_values([1.0, 2.0]), 2, 2.0),
        (items(number()), [1, 2.0], [1.0, 2.0]),
        (items(text(), as_tuple=True), ["a"], ("a",)),
        (mapping(number()), {"a": 1}, {"a": 1.0}),
        (unless_none(number()), "none", None),
        # What takes a value as it is comes before what would have to change it.
        (either([number(), number(whole=True)]), 3, 3),
        (either([number(), text()]), 3, 3.0),
        (either([items(number()), items(number(whole=True))]), [3], [3]),
    ],
)
def test_what_is_kept(fit: Fit, value: Any, kept: Any) -> None:
    found, violations = tried(fit, value)
    assert violations == []
    assert found == kept
    assert repr(found) == repr(kept), "1 is not 1.0"


@given(values)
def test_what_need_not_be_changed_is_the_same_object(value: Any) -> None:
    for fit in (anything, items(anything), mapping(items(text())), either([text(), of_type(bool), mapping(anything)])):
        kept, violations = tried(fit, value)
        assert violations or kept is value


@given(values)
def test_a_misfit_is_where_the_value_is(value: Any) -> None:
    violations: list[Violation] = []
    either([mapping(items(number({"minimum": 0}))), items(text({"maxLength": 2}))])(value, (), violations)
    for path, _, found in violations:
        there = value
        for part in path:
            there = there[part]
        assert there is found


@given(st.integers() | st.floats(allow_nan=False), st.integers(-5, 5), st.integers(-5, 5))
def test_bounds_are_those_of_the_words(value: float, low: int, high: int) -> None:
    bounds = {"minimum": low, "exclusiveMaximum": high}
    fits = math.isfinite(value) and low <= value < high
    assert (why(number(bounds), value) == []) == fits


def test_an_error_names_its_first_places() -> None:
    violations = [Violation((), "type", 1), *(Violation(("a", i), "bounds", 1) for i in range(20))]
    error = ViolationError("Thing", violations)
    assert str(error).startswith("Thing does not fit: Thing: type, a.0: bounds, a.1: bounds")
    assert "a.9" not in str(error)
    assert error.violations == tuple(violations)
