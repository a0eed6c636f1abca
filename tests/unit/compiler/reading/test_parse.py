"""YAML text -> values and exact positions, or diagnostics; never an exception."""

import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.compiler.reading.parse import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse
from craftc.schemas.diagnostic import Diagnostic, Path

ROOT = FilePath(__file__).parents[4]


def read(text: str) -> Any:
    """The plain values of a text without mistakes."""
    document, diagnostics = parse(text, "x.yaml")
    assert document is not None
    assert diagnostics == []
    return document.root.plain()


def refused(text: str) -> list[tuple[str, int, int]]:
    """Code, line and column of each mistake."""
    _, diagnostics = parse(text, "x.yaml")
    return [(d.code, d.range.start.line, d.range.start.column) for d in diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        ("1E3", 1000.0),
        (".5e+1", 5.0),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("010", 10),
        ("0o14", 12),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("Null", None),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("+0x1F", "+0x1F"),
        ("1e", "1e"),
        (".", "."),
        ("e5", "e5"),
        ("12:30:00", "12:30:00"),
        ("2020-01-01", "2020-01-01"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("''", ""),
        ('"a\\tb"', "a\tb"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = read(f"a: {text}")["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e999", str(2**63), "0x" + "f" * 17, "9" * 5000]
)
def test_numbers_beyond_the_range_are_refused(text: str) -> None:
    assert refused(f"a: {text}") == [("number-out-of-range", 1, 4)]


class Emitter:
    """Writes a tree as YAML, block or flow, and notes where every key and scalar came to stand."""

    def __init__(self) -> None:
        self.text = ""
        self.keys: dict[Path, tuple[int, int, int]] = {}
        self.values: dict[Path, tuple[int, int, int]] = {}

    def put(self, text: str) -> tuple[int, int, int]:
        line, column = self.text.count("\n") + 1, len(self.text) - (self.text.rfind("\n") + 1) + 1
        self.text += text
        return line, column, column + len(text)

    def flow(self, value: Any, path: Path) -> None:
        opened, closed = "{}" if isinstance(value, dict) else "[]"
        self.put(opened)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for index, (key, item) in enumerate(items):
            self.put(", " if index else "")
            if isinstance(value, dict):
                self.keys[*path, key] = self.put(json.dumps(key, ensure_ascii=False))
                self.put(": ")
            self.any(item, (*path, key), 0, flow=True)
        self.put(closed)

    def block(self, value: Any, path: Path, indent: int) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            self.put("\n" + " " * indent)
            if isinstance(value, dict):
                self.keys[*path, key] = self.put(
                    key if key.isalpha() and key.isascii() else json.dumps(key, ensure_ascii=False)
                )
                self.put(":")
            else:
                self.put("-")
            self.put(" ")
            self.any(item, (*path, key), indent + 2, flow=False)

    def any(self, value: Any, path: Path, indent: int, *, flow: bool) -> None:
        if not isinstance(value, dict | list):
            self.values[path] = self.put(json.dumps(value, ensure_ascii=False))
        elif flow or not value or len(path) % 3 == 2:
            self.flow(value, path)
        else:
            self.block(value, path, indent)


names = st.text(st.characters(categories=["L", "Nd"], exclude_characters="\x85\u2028\u2029"), min_size=1, max_size=6)
keys = names.map(lambda name: f"k{name}")
scalars = (
    st.booleans() | st.integers(-(10**9), 10**9) | names | st.sampled_from([1.5, 1e-4, "a: b", "漢字", "# no", "{x"])
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(keys, trees, min_size=1, max_size=4))
def test_every_key_and_scalar_is_located_exactly(tree: dict[str, Any]) -> None:
    emitter = Emitter()
    emitter.block(tree, (), 0)
    document, diagnostics = parse(emitter.text, "x.yaml")
    assert document is not None
    assert diagnostics == []
    assert document.root.plain() == tree
    for places, at_key in ((emitter.keys, True), (emitter.values, False)):
        for path, expected in places.items():
            found = document.locate(path, key=at_key)
            assert (found.start.line, found.start.column, found.end.column) == expected
            assert found.end.line == found.start.line


def located(text: str, *path: str | int, key: bool = False) -> str:
    """The text that a path is located at; lines are joined by the end alone."""
    document, _ = parse(text, "x.yaml")
    assert document is not None
    found = document.locate(path, key=key)
    assert found.start.line == found.end.line
    return text.split("\n")[found.start.line - 1][found.start.column - 1 : found.end.column - 1]


def test_merged_and_aliased_values_are_where_their_text_stands() -> None:
    text = "base: &b\n  lr: 0.5\n  m: &m {x: 11}\nuse:\n  <<: *b\n  own: *m\nmany:\n  <<: [{lr: 7}, *b]\n"
    assert located(text, "use", "lr") == "0.5"
    assert located(text, "use", "own", "x") == "11"
    assert located(text, "many", "lr") == "7"
    assert located(text, "use", "lr", key=True) == "lr"


def test_own_keys_win_over_merged_ones_and_earlier_merges_over_later() -> None:
    assert read("a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}")["c"] == {"x": 1, "y": 3, "z": 2}


@pytest.mark.parametrize(
    ("text", "path", "shown"),
    [
        ("a:\nb: 1", ("a",), "a"),  # an empty value is shown by its key
        ("a: {b: , c: 1}", ("a", "b"), "b"),
        ("a: 1", ("a", "b", 3), "1"),  # beyond what is written: the nearest parent
        ("a: {b: 1}", ("a",), "{b: 1}"),
        ("a: []", ("a",), "[]"),
        ("a: [[], 1]", ("a", 0), "[]"),
        ("a: {b: 1}", ("a", "c"), "a"),  # what is missing by the key of what lacks it
        ("a:\n  b: 1", ("a",), "a"),  # a mapping of several lines by its key
        ("a: {b: 1,\n  c: 2}", ("a",), "a"),
        ("a: &x 5", ("a",), "5"),  # behind its anchor
        ("a: &x # c\n  5", ("a",), "5"),
        ("a: &x {b: 1}", ("a",), "{b: 1}"),
        ("? a\n: 1", ("a",), "1"),
        ("a:   # c\n  x y  # d", ("a",), "x y"),
        ("a: {b: [1,\n  22 ]}", ("a", "b", 1), "22"),
        ("a:\n- 1\n-\n- 3", ("a", 1), "-"),
        ("a: [1, 22]", ("a", 1), "22"),
        ("漢字: 'é'", ("漢字",), "'é'"),
        ('a: "x" # c', ("a",), '"x"'),
    ],
)
def test_locate(text: str, path: Path, shown: str) -> None:
    assert located(text, *path) == shown


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a: |\n  x\n  yy  \n\n# c\nb: 1", (3, 5)),
        ("a: >-\n  x\nb: 1", (2, 4)),
        ("a: 'x\n  y'  # c\nb: 1", (2, 5)),
        ("a: x\n  y   # c\nb: 1", (2, 4)),
    ],
)
def test_a_text_of_several_lines_ends_with_its_last(text: str, end: tuple[int, int]) -> None:
    document, _ = parse(text, "x.yaml")
    assert document is not None
    found = document.locate(("a",))
    assert (found.start.line, found.start.column) == (1, 4)
    assert (found.end.line, found.end.column) == end


def test_a_block_ends_with_its_last_item() -> None:
    document, _ = parse("a:\n  b: 1\n  c: [2]\n\n# c\nd: 3", "x.yaml")
    assert document is not None
    assert isinstance(document.root.value, dict)
    end = document.root.value["a"][1].end
    assert (end.line, end.column) == (3, 9)


def test_an_empty_list_item_is_at_its_own_dash() -> None:
    document, _ = parse("a:\n- 1\n-\n- 3\n", "x.yaml")
    assert document is not None
    assert document.locate(("a", 1)).start.line == 3


def test_a_byte_order_mark_and_windows_line_ends_move_nothing() -> None:
    assert refused("\ufeffa: 1\r\nb: .nan\r\n") == [("number-out-of-range", 2, 4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\na: 3", [("duplicate-key", 2, 1), ("duplicate-key", 3, 1)]),
        ("1: 2\n[a]: 3", [("key-not-text", 1, 1), ("key-not-text", 2, 1)]),
        ("a: !!python/object:os.system x", [("yaml-tag", 1, 4)]),
        ("# c\n%YAML 1.1\n---\na: 1", [("yaml-directive", 2, 1)]),
        ("a: 1\n---\nb: 2", [("several-documents", 2, 1)]),
        ("a: &a [*a]", [("yaml-alias", 1, 8)]),
        ("a: *b", [("yaml-alias", 1, 4)]),
        ("a: {<<: 3}", [("yaml-merge", 1, 9)]),
        ("", [("empty-document", 1, 1)]),
        ("# nothing", [("empty-document", 1, 1)]),
        ("a: 1\nb: [1, 2\nc: 3", [("yaml-syntax", 2, 4)]),
        ("a:\n\tb: 1", [("yaml-syntax", 2, 1)]),
        ("a: 'x\n", [("yaml-syntax", 1, 4)]),
        ('a: "\\ud800"', [("yaml-syntax", 1, 4)]),
        ('a: "\\0"', [("yaml-syntax", 1, 4)]),
        ("a: 1\nb: \x07", [("yaml-syntax", 2, 4)]),
    ],
)
def test_what_is_refused_and_where(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert refused(text) == expected


def first(text: str) -> Diagnostic:
    return parse(text, "x.yaml")[1][0]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: {c: 1\nd: 2\n", 2, 4),
        ("b: {c: 1,\n  d: [2,\n  3\n}\n", 2, 6),
        ("b: [1,\n\n# end\n", 1, 4),
        ("a: 1\nb: 'x\nc: 1\n", 2, 4),
        ('a: 1\nb: "x\nc: 1\n', 2, 4),
        ("a: 1\nb\nc: 1\n", 2, 1),
    ],
)
def test_what_is_left_open_is_told_where_it_opens(text: str, line: int, column: int) -> None:
    assert refused(text) == [("yaml-syntax", line, column)]


def test_a_missing_comma_is_told_where_the_text_cannot_go_on() -> None:
    assert refused("a: {\n  b: 1\n  c: 2\n}\n") == [("yaml-syntax", 3, 4)]


def test_a_tab_is_mended_with_spaces() -> None:
    assert first("a:\n\tb: 1").hint == "use spaces, not tabs"


def nested_aliases(levels: int) -> str:
    lines = ["a0: &a0 " + "[" * 40 + "]" * 40]
    lines += [f"a{i}: &a{i} " + "[" * 40 + f"*a{i - 1}" + "]" * 40 for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * MAX_BYTES,
        "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" + "1," * (MAX_NODES + 1) + "]",
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "\n".join(f"{c}: &{c} [{', '.join(['*' + p] * 10)}]" for p, c in zip("abcdef", "bcdefg", strict=True)),
        nested_aliases(60),
        "a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\nb: {<<: [" + "*a, " * 1000 + "]}",
    ],
    ids=["bytes", "depth", "nodes", "laughs", "alias-depth", "merges"],
)
@pytest.mark.timeout(120)
def test_a_bomb_is_a_diagnostic(text: str) -> None:
    assert [code for code, _, _ in refused(text)] == ["document-too-large"]


SOUP = st.sampled_from(
    [
        *"{}[]:,-?&*!|>'\"%@`#\n\t \r~<\\0xé漢.",
        "<<: *a",
        "&a ",
        "*a",
        "!!int ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "%TAG ! x\n",
        '"\\xff"',
        '"\\U00110000"',
        "\ufeff",
        "\x85",
        "\u2028",
        "\x07",
        "\ud800",
        "? ",
        "- ",
        "|2-\n",
        ">+\n",
        "%FOO\n",
        "!<x> ",
        "! ",
        "k: ",
    ]
)


@given(st.lists(SOUP | st.text(max_size=3), max_size=40).map("".join))
@settings(max_examples=300)
def test_no_text_makes_an_exception(text: str) -> None:
    document, diagnostics = parse(text, "x.yaml")
    assert document is not None or diagnostics


@given(st.data())
@settings(max_examples=100)
def test_no_mangled_spec_makes_an_exception(data: st.DataObject) -> None:
    text = (ROOT / "specs" / "vit_ablation.yaml").read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(SOUP) + text[at + data.draw(st.integers(0, 6)) :]
    document, diagnostics = parse(text, "x.yaml")
    assert document is not None or diagnostics


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !!int 2\nb: 3\n", [("yaml-tag", 1, 4)]),
        ("a: 1e-400\n", [("number-out-of-range", 1, 4)]),
        ("a: {8, 4}\n", [("key-not-text", 1, 4)]),
        ("{a: 8, 4, 2, b: 1}\n", [("key-not-text", 1, 5)]),
        ("{a: 8, 4: , b: 1}\n", [("key-not-text", 1, 8)]),
        ("t:\n  a = 2\n  b: 3\n", [("yaml-syntax", 2, 3)]),
        ("t:\n  a 2 # two\n  b: 3\n", [("yaml-syntax", 2, 3)]),
        ("a:\u00a02\nb: 3\n", [("yaml-syntax", 1, 1)]),
    ],
)
def test_the_slip_is_told_and_nothing_that_follows_from_it(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert refused(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("a: !!int 2\n", 2), ("a: !!str 2\n", "2"), ("a: {8, 4}\n", [8, 4]), ("{a: 8, 4, 2}\n", [8, 4, 2])],
)
def test_what_is_meant_is_read_on_with(text: str, value: Any) -> None:
    document, _ = parse(text, "x.yaml")
    assert document is not None
    assert document.root.plain() == {"a": value}


def test_zero_is_zero_however_it_is_written() -> None:
    assert read("[0.0, 0e5, -.0, 0.000e-400]") == [0, 0, 0, 0]
