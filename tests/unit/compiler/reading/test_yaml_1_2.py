"""A text is read as YAML 1.2 says, or refused at the place that libyaml would read otherwise.

Every document here is of the kind that the public YAML test suite (yaml/yaml-test-suite) has; those that it calls
invalid are refused, but for lines that are indented too little within brackets or quotes.
"""

import pytest

from craftc.compiler.reading.parse import parse

READ = [
    ("{ ?foo: bar,\nbar: 42\n}\n", {"?foo": "bar", "bar": 42}),
    ("[?x]\n", ["?x"]),
    ("{a: ?x, ?b: c?, 'd?': e}\n", {"a": "?x", "?b": "c?", "d?": "e"}),
    ("{? a : 1}\n", {"a": 1}),
    ("- |+\n   ", ["\n"]),
    ("foo: |\n  x\n   ", {"foo": "x\n \n"}),
    ("a: &x 1\nb: *x\n", {"a": 1, "b": 1}),
    ("a: &x [1, 2]\nb: [*x, *x]\n", {"a": [1, 2], "b": [[1, 2], [1, 2]]}),
    ("a: b#c\nd: 'e#f' # comment\n", {"a": "b#c", "d": "e#f"}),
    ("a: | # comment\n  x#y\nb: 1\n", {"a": "x#y\n", "b": 1}),
    ("# a,#b\na: [1, 2] # x\n", {"a": [1, 2]}),
    ("- - x\n-   -  y\n", [["x"], ["y"]]),
    ("a: '-'\nb: [-1, '-']\n", {"a": "-", "b": [-1, "-"]}),
    ("a: http://x.y/#z\n", {"a": "http://x.y/#z"}),
]
REFUSED = [
    ("key: &an:chor value\n", (1, 6), "an:chor has more"),
    ("a: &x:y 1\nb: *x\n", (1, 4), "x:y has more"),
    ("a: &x 1\nb: {*x: 1}\n", (2, 5), "*x: has more"),
    ("[ a, b, c, ]#invalid\n", (1, 13), "begins no comment"),
    ("[ a, b, c,#invalid\n]\n", (1, 11), "begins no comment"),
    ('key: "value"# invalid comment\n', (1, 13), "begins no comment"),
    ("block: ># comment\n  scalar\n", (1, 9), "begins no comment"),
    ("[-]\n", (1, 2), "a dash alone"),
    ("- [-, -]\n", (1, 4), "a dash alone"),
    ("a:\n  - {x: -}\n", (2, 9), "a dash alone"),
    ('a: "\\e[31m"\n', (1, 4), "U+001B"),
    ('a: "\\x07"\n', (1, 4), "U+0007"),
    ('"\\x9b": 1\n', (1, 1), "U+009B"),
    ("a:\n  <<: {b: 1}\n  <<: {c: 2}\n", (3, 3), '"<<" stands twice'),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_read_as_yaml_1_2_says(text: str, value: object) -> None:
    document, diagnostics = parse(text, "x.yaml")
    assert diagnostics == []
    assert document is not None
    assert document.root.plain() == value


@pytest.mark.parametrize(("text", "place", "words"), REFUSED)
def test_refused_at_the_place(text: str, place: tuple[int, int], words: str) -> None:
    _, (found, *_) = parse(text, "x.yaml")
    assert tuple(found.range.start) == place
    assert words in found.message


def test_what_belongs_to_the_name_of_an_anchor_is_no_value() -> None:
    document, diagnostics = parse("name: &n:ame t\nseed: &s:x 1\n", "x.yaml")
    assert len(diagnostics) == 2
    assert document is not None
    assert document.root.plain() == {"name": "t", "seed": 1}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a:\n  epochs:1\n  batch_size: 2\n", (2, 3), "a space follows the colon"),
        ("a:\n  b: 1\n  epochs:1\n", (3, 3), "a space follows the colon"),
        ("a:\n  - kind:cosine\n    end_lr: 1\n", (2, 5), "a space follows the colon"),
        ("a:\n  epochs:1\n\n  # why\n  batch_size: 2\n", (2, 3), "a space follows the colon"),
        ("a:\n  epochs 1\n  batch_size: 2\n", (2, 3), "a key needs a colon"),
        ("a:\n  epochs: 1\n\u00a0 batch_size: 2\n  b: 1\n", (3, 1), "U+00A0 NO-BREAK SPACE does not indent"),
        ("a:\n  epochs: 1\n   batch_size: 2\n", (3, 14), "no key can stand here"),
        ("url: x\n  y: http://z\n", (2, 4), "no key can stand here"),
    ],
)
def test_the_line_of_the_slip_is_blamed(text: str, place: tuple[int, int], words: str) -> None:
    _, (found,) = parse(text, "x.yaml")
    assert tuple(found.range.start) == place
    assert words in found.message


@pytest.mark.parametrize(
    ("text", "value", "mend"),
    [
        ("{lr: 0,001}", {"lr": 0.001}, "0.001"),
        ("{lr: 0,5, b: 1}", {"lr": 0.5, "b": 1}, "0.5"),
        ("{lr: 1,000}", {"lr": 1.0}, None),
    ],
)
def test_a_decimal_comma_is_one_mistake(text: str, value: object, mend: str | None) -> None:
    document, (found,) = parse(text, "x.yaml")
    assert found.code == "key-not-text"
    assert document is not None
    assert document.root.plain() == value
    assert (found.fix.edits[0].text if found.fix else None) == mend


def test_a_key_that_is_a_number_without_a_comma_before_it_is_none_of_a_number() -> None:
    _, (found,) = parse("{lr: 0, 1: 2}", "x.yaml")
    assert "a key must be text" in found.message
