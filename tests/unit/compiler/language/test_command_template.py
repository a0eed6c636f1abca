"""Placeholders become settings, and other braces stay."""

from pathlib import Path

import pytest

from craftc.compiler.language.command_template import filled, placeholders

VALUES = {"lr": 1e-05, "n": 3, "amp": True, "name": "a b", "sizes": [64, "x"], "more": {"a": 1}, "data": Path("/d.csv")}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("{lr}", ["1e-05"]),
        ("--n={n}", ["--n=3"]),
        ("{amp}", ["true"]),
        ("{name}", ["a b"]),
        ("{data}", ["/d.csv"]),
        ("{sizes}", ["64", "x"]),
        ("--sizes={sizes}", ['--sizes=[64, "x"]']),
        ("{more}", ['{"a": 1}']),
        ("{{lr}}", ["{lr}"]),
        ("{n}-{n}", ["3-3"]),
        ("{print $1}", ["{print $1}"]),
        ('{"a": {n}}', ['{"a": 3}']),
        ("{}", ["{}"]),
        ("", [""]),
    ],
)
def test_filled(argument: str, expected: list[str]) -> None:
    assert filled([argument], VALUES) == expected


def test_placeholders() -> None:
    assert list(placeholders(["a", "{x}={y}", "{{z}}", "{x}"])) == [(1, "x"), (1, "y"), (3, "x")]


def test_a_placeholder_without_a_value() -> None:
    with pytest.raises(KeyError, match="none"):
        filled(["{none}"], VALUES)
