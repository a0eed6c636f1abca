"""What components take against what a source gives: a problem exactly where there is nothing in common."""

from collections.abc import Iterator
from itertools import combinations, product

import pytest

from craftc.compiler.checking.rules.data_kinds import Given, Kinds, Named, given, given_kinds, gives_text, misfits
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import DATA_KINDS, Catalogue, ComponentEntry

SOURCE = "lab:source"

LAID_OUT = ("models", "augmentations")


def catalogue(takes: Kinds, gives: Kinds = ()) -> Catalogue:
    entries = [ComponentEntry(group, "lab:it", "lab:it", "It.", takes=takes) for group in ("models", "metrics")]
    entries.append(ComponentEntry("sources", SOURCE, SOURCE, "It.", gives=gives))
    return Catalogue(built_in_catalogue().entries, {(entry.group, entry.kind): entry for entry in entries})


def found(takes: Kinds, data: Given, group: str = "models") -> list[Problem]:
    return list(misfits([Named(group, (group, "kind"), "lab:it", group in LAID_OUT)], data, catalogue(takes)))


def subsets() -> Iterator[Kinds]:
    for size in range(1, 4):
        yield from combinations(DATA_KINDS, size)


@pytest.mark.parametrize("layout", ["source", "channels", "lines", "flat"])
def test_there_is_a_problem_exactly_where_nothing_is_in_common(layout: str) -> None:
    for takes, kinds in product(subsets(), subsets()):
        flat = {"table" if kind == "images" else kind for kind in kinds}
        seen = flat if layout == "flat" else set(kinds)
        data = given(SOURCE, kinds, layout)
        assert bool(found(takes, data)) == (not seen & set(takes))
        assert bool(found(takes, data, "metrics")) == (not set(kinds) & set(takes))
        assert not found((), data)


@pytest.mark.parametrize(
    ("takes", "kinds", "layout", "code", "message"),
    [
        (("images",), ("table",), "source", "needs-images", "lab:it needs images, and lab:source gives a table"),
        (("images",), ("text",), "flat", "needs-images", "lab:it needs images, and lab:source gives text"),
        (
            ("images", "text"),
            ("table",),
            "lines",
            "needs-images",
            "lab:it needs images or text, and lab:source gives a table",
        ),
        (
            ("images",),
            DATA_KINDS,
            "flat",
            "needs-images",
            "lab:it needs images, and data.layout flat makes flat vectors",
        ),
        (
            ("text",),
            ("images", "table"),
            "flat",
            "needs-text",
            "lab:it needs text, and lab:source gives images or a table",
        ),
        (("table",), ("images",), "source", "data-mismatch", "lab:it needs a table, and lab:source gives images"),
        (
            ("table", "text"),
            ("images",),
            "source",
            "data-mismatch",
            "lab:it needs a table or text, and lab:source gives",
        ),
        (("table",), ("text",), "source", "unfit-for-text", "lab:it computes with numbers, and lab:source gives text"),
        (
            ("images", "table"),
            ("text",),
            "flat",
            "unfit-for-text",
            "lab:it computes with numbers, and lab:source gives",
        ),
    ],
)
def test_the_code_is_that_of_what_is_missing(takes: Kinds, kinds: Kinds, layout: str, code: str, message: str) -> None:
    [problem] = found(takes, given(SOURCE, kinds, layout))
    assert (problem.code, problem.message[: len(message)]) == (code, message)


def test_a_source_that_declares_nothing_may_give_anything() -> None:
    assert given_kinds(SOURCE, catalogue(())) == DATA_KINDS
    assert given_kinds("lab:unknown", catalogue(())) == DATA_KINDS
    assert [gives_text(SOURCE, catalogue((), kinds)) for kinds in ((), ("text",), ("images", "text"))] == [
        False, True, False
    ]  # fmt: skip
