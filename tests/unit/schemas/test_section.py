"""Sections of a language: their keys from annotations, values checked and frozen, back to plain values."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.schemas.fit import ViolationError
from craftc.schemas.section import Field, Section, SwitchedOffByNone, as_tree, read_section
from craftc.schemas.spec import Ablation


class Part(Section):
    kind: str
    size: int = Field(1, ge=1)


class Whole(Section):
    name: str = Field(min_length=1, max_length=5, pattern="^[a-z]+$")
    part: Part
    rate: float = Field(0.5, gt=0, lt=1)
    mode: Literal["min", "max"] | None = Field(None)
    stop: Annotated[Part | None, SwitchedOffByNone()] = Field(None)
    parts: tuple[Part, ...] = Field((), max_length=2)
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field((8,))
    number_or_text: int | str = Field(0)
    table: dict[str, float] = Field(default_factory=dict)
    is_on: bool = Field(True)


class Open(Section, open_to=Any):
    kind: str


class Longer(Part):
    more: str = Field("x")


LEAST: dict[str, Any] = {"name": "abc", "part": {"kind": "a"}}


def violations(value: Any, section: Any = Whole) -> list[tuple[str, str]]:
    with pytest.raises(ViolationError) as caught:
        read_section(section, value)
    return [(".".join(map(str, path)), kind) for path, kind, _ in caught.value.violations]


def test_what_is_not_given_is_the_default() -> None:
    whole = read_section(Whole, LEAST)
    assert (whole.rate, whole.mode, whole.stop, whole.parts, whole.widths) == (0.5, None, None, (), (8,))
    assert whole.given == {"name", "part"}
    assert whole.part == Part(kind="a", size=1)
    assert whole.part.given == {"kind"}
    assert read_section(Whole, LEAST).table is not whole.table, "a default that can change is made anew"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, [("name", "bounds")]),
        ({"name": "toolong"}, [("name", "bounds")]),
        ({"name": "a1"}, [("name", "pattern")]),
        ({"name": 5}, [("name", "type")]),
        ({"part": "a"}, [("part", "type")]),
        ({"part": {"size": 0}}, [("part.kind", "missing"), ("part.size", "bounds")]),
        ({"part": {"kind": "a", "sise": 2}}, [("part.sise", "unknown")]),
        ({"rate": 0}, [("rate", "bounds")]),
        ({"rate": "0.5"}, [("rate", "type")]),
        ({"mode": "mean"}, [("mode", "choice")]),
        ({"stop": None}, [("stop", "type")]),
        ({"stop": {"kind": 1}}, [("stop.kind", "type")]),
        ({"parts": [{"kind": "a"}, {"kind": 2}]}, [("parts.1.kind", "type")]),
        ({"parts": [{}, {}, {}]}, [("parts", "bounds")]),
        ({"widths": [0]}, [("widths.0", "bounds")]),
        ({"number_or_text": []}, [("number_or_text", "type"), ("number_or_text", "type")]),
        ({"table": {"a": 1, "b": True}}, [("table.b", "type")]),
        ({"is_on": 1}, [("is_on", "type")]),
        ({"extra": 1, "name": 1}, [("name", "type"), ("extra", "unknown")]),
    ],
)
def test_every_place_that_does_not_fit_is_told(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert violations(LEAST | changes) == expected


def test_missing_keys_are_told_in_the_order_of_the_language() -> None:
    assert violations({}) == [("name", "missing"), ("part", "missing")]
    assert violations([], Part) == [("", "type")]


def test_a_literal_an_option_and_what_is_switched_off() -> None:
    whole = read_section(Whole, LEAST | {"mode": "max", "stop": "none", "number_or_text": "x", "rate": 0.25})
    assert (whole.mode, whole.stop, whole.number_or_text) == ("max", None, "x")
    given = {"mode": "max", "stop": "none", "number_or_text": "x", "rate": 0.25}
    assert as_tree(whole, given_only=True) == LEAST | {"part": {"kind": "a", "size": 1}} | given
    assert read_section(Whole, LEAST | {"number_or_text": 7}).number_or_text == 7


def test_a_list_or_mapping_that_none_empties_stands_there_as_an_empty_one() -> None:
    ablation = read_section(Ablation, {"grid": "none", "exclude": "none", "seeds": 2})
    assert (ablation.grid, ablation.exclude) == ({}, ())
    assert as_tree(ablation, given_only=True) == {"grid": {}, "exclude": [], "seeds": 2}
    assert violations({"grid": "off", "design": "none"}, Ablation) == [("design", "type"), ("grid", "type")]


def test_a_section_is_taken_as_it_is() -> None:
    part = Part(kind="a", size=3)
    assert Whole(name="abc", part=part).part is part
    assert violations(LEAST | {"part": Open(kind="a")}) == [("part", "type")]


def test_keys_beside_the_declared_ones() -> None:
    component = Open(kind="mlp", hidden=[8], dropout=0.1)
    assert component.extra == {"hidden": [8], "dropout": 0.1}
    assert component.given == {"kind"}
    assert as_tree(component) == {"kind": "mlp", "hidden": [8], "dropout": 0.1}
    assert component != Open(kind="mlp", hidden=[8])


def test_a_subclass_has_the_keys_of_both() -> None:
    assert as_tree(Longer(kind="a")) == {"kind": "a", "size": 1, "more": "x"}
    assert Longer(kind="a") != Part(kind="a")


def test_a_section_does_not_change() -> None:
    part = Part(kind="a")
    with pytest.raises(AttributeError, match="Part is frozen"):
        part.size = 2
    larger = part.changed(size=2)
    assert (part.size, larger.size) == (1, 2)
    assert larger.given == {"kind", "size"}
    assert larger == Part(kind="a", size=2)
    assert repr(larger) == "Part(kind='a', size=2)"


def test_equal_values_are_equal_whether_given_or_not() -> None:
    assert Part(kind="a") == Part(kind="a", size=1)
    assert Part(kind="a") != {"kind": "a", "size": 1}


def test_a_key_cannot_have_the_name_of_what_every_section_has() -> None:
    with pytest.raises(TypeError, match="a key cannot be called given"):
        type("Bad", (Section,), {"__annotations__": {"given": int}})


parts = st.fixed_dictionaries({"kind": st.text(max_size=3)}, optional={"size": st.integers(1, 9)})
wholes = st.fixed_dictionaries(
    {"name": st.text("abc", min_size=1, max_size=5), "part": parts},
    optional={
        "rate": st.floats(0.1, 0.9),
        "mode": st.sampled_from(["min", "max"]),
        "stop": parts | st.just("none"),
        "parts": st.lists(parts, max_size=2),
        "widths": st.lists(st.integers(1, 9), max_size=3),
        "number_or_text": st.integers() | st.text(max_size=3),
        "table": st.dictionaries(st.text(max_size=3), st.floats(-1, 1), max_size=3),
        "is_on": st.booleans(),
    },
)


@given(wholes)
def test_plain_values_come_back(tree: dict[str, Any]) -> None:
    whole = read_section(Whole, tree)
    assert as_tree(whole, given_only=True) == tree | {
        name: as_tree(getattr(whole, name)) for name in ("part", "stop") if isinstance(tree.get(name), dict)
    } | ({"parts": [as_tree(part) for part in whole.parts]} if "parts" in tree else {})
    complete = {name: value for name, value in as_tree(whole).items() if value is not None}
    assert read_section(Whole, complete) == whole
