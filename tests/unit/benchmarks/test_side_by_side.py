"""What the frame of the benchmarks measures, leaves out, prints and writes."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def counting(values: list[float], order: list[str], name: str) -> "object":
    """A side that takes the values one after another."""

    def side() -> Mapping[str, float]:
        order.append(name)
        return {"wall s": values.pop(0)}

    return side


def test_rounds_alternate_and_ratios_are_those_of_each_round() -> None:
    from side_by_side import compare, render

    order: list[str] = []
    sides = {"by hand": counting([9, 1, 4, 5], order, "a"), "craftc": counting([9, 3, 4, 10], order, "b")}
    table = compare("A step", "by hand", sides, rounds=3, warm_up=1, told=False)
    assert order == list("abbaabba")
    # 3, 1 and 2; that of the medians would be 1.
    assert table.median("craftc", "wall s") == 4
    assert table.ratio("craftc", "wall s") == 2
    assert table.ratio("by hand", "wall s", base="craftc") == 0.5
    assert [line.split() for line in render(table).splitlines()[2:4]] == [
        ["by", "hand", "4", "1.00"],
        ["craftc", "4", "2.00"],
    ]


def test_a_side_whose_package_is_missing_is_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    from side_by_side import compare

    def missing() -> Mapping[str, float]:
        raise ModuleNotFoundError("No module named 'lightning'", name="lightning")

    table = compare("A step", "craftc", {"craftc": lambda: {"wall s": 1.0}, "Lightning": missing}, rounds=2)
    assert list(table.rounds) == ["craftc"]
    assert "Lightning: left out, not installed: lightning" in capsys.readouterr().out


def test_the_file_names_the_machine_and_no_host_or_path(tmp_path: Path) -> None:
    import platform

    from side_by_side import Table, write

    options = argparse.Namespace(json=tmp_path / "new" / "x.json", small=True, rounds=1, threads=1)
    write(options, "x", [Table("A step", "craftc", {"craftc": [{"wall s": 1.5}]})])
    text = options.json.read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["machine"]["cores"] >= 1
    assert "torch" in content["machine"]["packages"]
    assert content["tables"][0]["rounds"] == {"craftc": [{"wall s": 1.5}]}
    assert platform.node() not in text
    assert str(Path.home()) not in text


ORPHAN = """
import os, time
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        while time.process_time() < 0.8:
            pass
    os._exit(0)
os.close(write)
os.wait()
os.read(read, 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what orphans use")
def test_the_cpu_time_of_a_descendant_that_nobody_waits_for_counts() -> None:
    from processes import timed_process

    assert timed_process([sys.executable, "-c", ORPHAN])["CPU s"] > 0.7


def test_a_process_that_fails_ends_the_benchmark_with_what_it_said() -> None:
    from processes import timed_process

    with pytest.raises(SystemExit, match="ended with 3\nno data"):
        timed_process([sys.executable, "-c", "import sys; print('no data'); sys.exit(3)"])
    assert timed_process([sys.executable, "-c", "import sys; sys.exit(3)"], codes=(0, 3))["wall s"] > 0
