"""The order of classes: one for a set of names, whatever made it."""

import os
import subprocess
import sys

import pytest

from craftc.compiler.data_files.class_order import in_order

NAMES = ["2", "01", "1", "10", "-3", "001", "+1"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (NAMES, ("-3", "+1", "001", "01", "1", "2", "10")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["b", "B", "a", "é", "z"], ("B", "a", "b", "z", "é")),
        (["10.0", "9.0", "2."], ("2.", "9.0", "10.0")),
        (["0.5", "10", "9"], ("0.5", "10", "9")),
        (["1_0", "9"], ("1_0", "9")),
        (["٣", "1"], ("1", "٣")),
        (["9" * 5000, "1"], ("1", "9" * 5000)),
        ([], ()),
    ],
)
def test_whole_numbers_by_value_and_else_text(names: list[str], expected: tuple[str, ...]) -> None:
    assert in_order(names) == in_order(reversed(names)) == expected


def test_every_process_has_the_same_order() -> None:
    script = f"from craftc.compiler.data_files.class_order import in_order; print(in_order({NAMES!r}))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "3", "4", "5")
    }
    assert printed == {f"{in_order(NAMES)}\n"}
