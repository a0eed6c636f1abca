"""The rules of `require`: what the grammar takes, what it computes, and what it refuses."""

import contextlib
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.language.expression import MAX_LENGTH, Expression, ExpressionError

TREE = {"model": {"d_model": 32, "mask": "none", "betas": [0.9, 0.99]}, "schedule": [{"epochs": 3}], "on": True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model.d_model % 4 == 0", True),
        ("model.d_model // 5", 6),
        ("-model.d_model + 1", -31),
        ("schedule[0].epochs", 3),
        ('model.mask == "none"', True),
        ("model.mask != 'causal' and on", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("not on or on", True),
        ("model.betas[1] > model.betas[0]", True),
        ('"a" < "b"', True),
        ("2 * (3 + 4)", 14),
        ('model.mask == "x" and nothing', False),
        ("on or nothing", True),
        ("model.mask == 3", False),
        (" 1 == 1 ", True),
    ],
)
def test_what_is_computed(text: str, value: Any) -> None:
    assert Expression(text).evaluate(TREE) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "a.b(",
        "open('x')",
        "a ** 2",
        "[1]",
        "{}",
        "lambda: 1",
        "a if b else c",
        "(x := 1)",
        "a in b",
        "a is b",
        "f'{a}'",
        "b'x'",
        "1j",
        "None",
        "...",
        "a @ b",
        "a << 1",
        "a & b",
        "~a",
        "a[1:2]",
        "a['b']",
        "a[b]",
        "(1).real",
        "*a",
        "__import__('os')",
        "a; b",
        "a\nb",
        "x" * (MAX_LENGTH + 1),
        "(" * 300 + "1" + ")" * 300,
        "not " * 240 + "a",
        "-" * 900 + "1",
        "+".join(["1"] * 400),
        "\0",
        "\\",
        "a.b." * 100,
        "1 is 1",
        '"\\d"()',
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing == 1", "names nothing, which does not exist"),
        ("model.mask == none", "text stands in quotes"),
        ("model.d_modell == 1", "names model.d_modell"),
        ("schedule[1].epochs", "names schedule.1.epochs"),
        ("model.mask + 1", "is not a number"),
        ("schedule * 1000000000", "is not a number"),
        ("model.mask < 1", "is not a number"),
        ("-model.mask", "is not a number"),
        ("model < model", "is not a number"),
        ("1 / 0", "division by zero"),
        ("1 % 0.0", "modulo"),
    ],
)
def test_what_cannot_be_computed(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        Expression(text).evaluate(TREE)


def test_names_are_all_paths_once() -> None:
    assert Expression("a.b + a.b * c[0].d > 1 and not e").names == (("a", "b"), ("c", 0, "d"), ("e",))


numbers = st.integers(-50, 50).map(str) | st.sampled_from(["0.5", "2.0", "x", "y"])
arithmetic = st.recursive(
    numbers,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(lambda t: f"({' '.join(t)})")
        | inner.map(lambda text: f"(-{text})")
    ),
    max_leaves=12,
)
comparison = st.tuples(arithmetic, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), arithmetic).map(" ".join)
logic = st.recursive(
    comparison,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({' '.join(t)})")
        | inner.map(lambda text: f"(not {text})")
    ),
    max_leaves=5,
)


@given(logic, st.integers(-5, 5), st.sampled_from([0.25, 3.0, -1.5]))
def test_the_value_is_that_of_python(text: str, x: int, y: float) -> None:
    try:
        expected = eval(text, {"__builtins__": {}}, {"x": x, "y": y})
    except (ZeroDivisionError, OverflowError):
        expected = None
    try:
        found = Expression(text).evaluate({"x": x, "y": y})
    except ExpressionError:
        found = None
    assert operator.eq(bool(found), bool(expected))
    assert (found is None) == (expected is None)


@given(st.text(max_size=60))
def test_no_text_makes_another_exception(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        Expression(text).evaluate(TREE)


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("a >> 2", "a >> 2"),
        ("  1 < 2 and f(x)  ", "f(x)"),
        ("a >", ">"),
        ("a b", "b"),
        ("(a", "("),
        ("b.c == 1", "b.c"),
        ("a < 1 or missing == 'x'", "missing"),
    ],
)
def test_the_part_that_is_to_blame_is_named(text: str, blamed: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text).evaluate({"a": 1})
    assert caught.value.within is not None
    start, end = caught.value.within
    assert text[start:end] == blamed


def test_beyond_ascii_the_whole_is_to_blame() -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression("a == 'é' and f(x)")
    assert caught.value.within is None


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("model.dmodel > 3", 'did you mean "model.d_model"?'),
        ("d_model > 3", 'did you mean "model.d_model"?'),
        ("model.mask == causal", "text stands in quotes"),
        ("model.d_model = 3", "write == for what is equal"),
        ("model.d_model > 3 && on", "write and for &&"),
        ("model.d_model > 3 || on", "write or for ||"),
        ("!on", "write not for !"),
        ("schedule.0.epochs > 1", "an item of a list is named in brackets, such as model.hidden[0]"),
    ],
)
def test_an_error_says_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text).evaluate(TREE)
    assert str(caught.value).endswith(f"; {advice}")
