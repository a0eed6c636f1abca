"""Different values of a choice are different texts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.report.search_cells import value_text
from craftc.schemas.choice import choice_label

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(values, values)
def test_two_values_have_one_text_only_where_they_are_the_same(one: object, other: object) -> None:
    assert (choice_label(one) == choice_label(other)) == (json.dumps(one) == json.dumps(other))


@given(st.sampled_from([1, 1.0, "1", True, "true", None, "null", '"1"']))
def test_a_text_stays_readable(value: object) -> None:
    assert choice_label("adam") == "adam"
    assert json.loads(choice_label(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1.0"), ("1", '"1"'), (True, "true"), (None, "null"), ("adam", "adam"), (0.00781823, "0.007818"),
     (1e12, "1e+12"), (2264.3, "2264"), (32.0, "32.0"), ({"kind": "sgd"}, '{"kind": "sgd"}')],
)  # fmt: skip
def test_tables_show_them_apart(value: object, text: str) -> None:
    assert value_text(value) == text
