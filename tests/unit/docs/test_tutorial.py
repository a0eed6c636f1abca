"""The tutorial is executed: its files are written, its edits made, its commands run, and their outputs are those shown.

A block whose first line is `# NAME` is a file, or an edit of it in the form of a diff. A console block holds commands
behind `$` and what they print; `...` stands for lines that the page leaves out. At `^C` the run is interrupted.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from craftc.cli.main import app

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tutorial" / "first_experiment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COLUMNS = {"COLUMNS": "80"}

CHANGING = (
    (r"\d{8}_\d{6}", "RUN"),
    (r"in \d+:\d\d", "in TIME"),
    (r" \(at most \d+:\d\d left\)", ""),
    (r"^estimate: [\d.].*", "estimate: TIME"),
    # What is left of an interrupted run depends on the moment.
    (r"from epoch \d+ of", "from epoch N of"),
    (r"at most \d+ epochs", "at most N epochs"),
    # Rounding differs between processors, and may move the best epoch by one.
    (r"best \d+:", "best N:"),
    (r"[\d.]+/20", "N/20"),
    (r"p=[\d.]+", "p=P"),
    (r"[ ─]+", " "),
)
"""What differs between two executions, and what stands for it in the comparison. Columns may be wider by a digit."""

TOLERANCE = 0.02
"""Of every metric and difference shown."""


# It trains for half a minute; on a machine that other work keeps busy, several times as long.
@pytest.mark.timeout(900)
def test_the_tutorial_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    commands = 0
    for language, block in BLOCKS:
        if language == "console":
            for command, shown in _commands(block):
                assert _difference(shown, _execute(command, shown, monkeypatch)) is None, command
                commands += 1
        elif language == "diff":
            _edit(block)
        else:
            name, _, _ = block.removeprefix("# ").partition("\n")
            Path(name).write_text(block, encoding="utf-8")
    assert commands == PAGE.count("\n$ ")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("0.926\n", "0.906 \n"),
        ("a\n...\nd\n", "a\nb\nc\nd\n"),
        ("a\n...\n", "a\nb\n"),
        ("run 20261130_024239, best 5: 0.92\n", "run 20261201_000000, best 4: 0.93\n"),
    ],
)
def test_what_may_differ(shown: str, printed: str) -> None:
    assert _difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("0.926\n", "0.896\n"), ("a\n", "a\nb\n"), ("a\n...\nd\n", "a\nb\n"), ("3 new\n", "4 new\n"), ("a\nb\n", "a\n")],
)
def test_what_may_not(shown: str, printed: str) -> None:
    assert _difference(shown, printed) is not None


def _commands(block: str) -> Iterator[tuple[str, str]]:
    starts = [match.start() for match in re.finditer(r"^\$ ", block, re.MULTILINE)]
    for start, end in pairwise([*starts, len(block)]):
        command, _, shown = block[start + 2 : end].partition("\n")
        yield command, shown


def _execute(command: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> str:
    program, *arguments = shlex.split(command)
    if program == "mkdir":
        Path(*arguments).mkdir()
        return ""
    if program == "cd":
        monkeypatch.chdir(Path(*arguments))
        return ""
    assert program == "craftc", command
    if "^C\n" in shown:
        return _interrupted(arguments)
    result = CliRunner().invoke(app, arguments, env=COLUMNS)
    assert result.exit_code == (1 if "error[" in shown else 0), result.output
    # The runner buffers standard output, which a terminal does not: this line, on standard error, comes last there.
    before, folder, after = result.output.partition("run folder: ")
    last, _, report = after.partition("\n")
    return f"{before}{report}{folder}{last}"


def _interrupted(arguments: list[str]) -> str:
    """Ctrl-C as soon as one trial is finished and an epoch of the next is on the disk."""
    command = [sys.executable, "-m", "craftc", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | COLUMNS
    ) as run:
        assert run.stdout is not None
        printed = ""
        for line in run.stdout:
            printed += line
            if line.startswith("[1/"):
                while not _is_under_way() and run.poll() is None:
                    time.sleep(0.005)
                run.send_signal(signal.SIGINT)
                printed += "^C\n"
    assert run.returncode == 130, printed
    return printed


def _is_under_way() -> bool:
    """Whether a trial without a result can be continued."""
    return any(not (file.parents[1] / "result.json").exists() for file in Path("runs/store").glob("*/*/last.pt"))


def _edit(block: str) -> None:
    name, *lines = block.splitlines()
    file = Path(name.removeprefix("# "))
    old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
    new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), encoding="utf-8")


def _difference(shown: str, printed: str) -> str | None:
    """The first line shown that is not printed, or None where all of them are, with others only where `...` stands."""
    wanted, found = _lines(shown), _lines(printed)
    may_skip = False
    for line in wanted:
        if line == "...":
            may_skip = True
            continue
        while may_skip and found and not _alike(line, found[0]):
            found.pop(0)
        if not found or not _alike(line, found.pop(0)):
            return f"shown, and not printed: {line}\n{printed}"
        may_skip = False
    return f"printed, and not shown: {found[0]}" if found and not may_skip else None


def _lines(text: str) -> list[str]:
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _alike(shown: str, printed: str) -> bool:
    number = r"\d+\.\d+"
    if re.sub(number, "0.0", shown) != re.sub(number, "0.0", printed):
        return False
    pairs = zip(re.findall(number, shown), re.findall(number, printed), strict=True)
    return all(abs(float(one) - float(other)) <= TOLERANCE + 1e-9 for one, other in pairs)
