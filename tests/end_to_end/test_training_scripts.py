"""Training code as people write it: the examples 04 to 07 and a SimCLR script, beside the same by hand.

Each is killed in the middle and goes on, and what craftc has recorded then is what the script prints.
"""

import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Case(NamedTuple):
    """A script: the folder of its project, what it was and what became of it, how it is run by hand, a spec of one
    trial with the same settings, and what it prints with what that is recorded as."""

    folder: Path
    before: str
    after: str
    by_hand: tuple[str, ...]
    spec: str
    printed: str
    recorded: tuple[str, ...]


# Of a torchvision beside a torch of another build, which is installed where tests run.
BY_HAND = "from craftc.components.torchvision_operators import expect_torchvision; expect_torchvision()"
EXAMPLES = ROOT / "examples"
CASES = {
    "simclr": Case(
        ROOT / "tests/end_to_end/simclr", "script.py", "train.py", ("-m", "simclr.script"),
        "program: {kind: simclr.train:train}\nreport: {metric: valid/knn, mode: max}\n",
        r"loss (\S+), knn (\S+)", ("train/loss", "valid/knn"),
    ),
    "own loop": Case(
        EXAMPLES / "04_own_loop", "digit_gan/script.py", "digit_gan/train.py",
        ("-c", "import digit_gan.script as s; s.train(epochs=4)"),
        "program: {kind: digit_gan.train:train, epochs: 4}\nreport: {metric: valid/distance, mode: min}\n",
        r"distance (\S+),", ("valid/distance",),
    ),
    "lightning": Case(
        EXAMPLES / "05_lightning", "digit_net/script.py", "digit_net/script.py",
        ("-c", f"{BY_HAND}; import runpy; runpy.run_module('digit_net.script', run_name='__main__')"),
        "program:\n  kind: lightning\n"
        "  module: {kind: digit_net.module:DigitNet}\n  data: {kind: digit_net.data:Digits}\n"
        "  trainer: {kind: lightning:Trainer, max_epochs: 6, gradient_clip_val: 1.0}\n  test: last\n"
        "report: {metric: test/accuracy}\n",
        r"test_accuracy +\S +(\S+)[^~]*test_loss +\S +(\S+)", ("test/accuracy", "test/loss"),
    ),
    "transformers": Case(
        EXAMPLES / "06_transformers", "digit_bert/script.py", "digit_bert/finetune.py",
        ("-c", f"{BY_HAND}; import digit_bert.script as s; s.main(width=8, layers=1, epochs=3)"),
        "program:\n  kind: transformers\n"
        "  trainer: {kind: digit_bert.finetune:make_trainer, width: 8, layers: 1, epochs: 3}\n"
        "report: {metric: test/accuracy}\n",
        r"'eval_valid_loss': '(\S+)', 'eval_valid_accuracy': '(\S+)'", ("valid/loss", "valid/accuracy"),
    ),
    "command": Case(
        EXAMPLES / "07_command", "script.pl", "train.pl", ("script.pl", "--epochs", "6"), "",
        r"epoch \d+: loss (\S+), accuracy (\S+)", ("valid/loss", "valid/accuracy"),
    ),
}  # fmt: skip


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}


def craftc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craftc", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )


def records(folder: Path) -> list[dict[str, Any]]:
    """What the one trial of a store recorded, without times."""
    (path,) = folder.glob("runs/store/*/metrics.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "trial")} for line in lines]


@pytest.mark.parametrize("name", CASES)
def test_what_is_killed_goes_on_to_the_numbers_of_the_script(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = tmp_path / "project"
    inside = folder / "simclr" if name == "simclr" else folder
    shutil.copytree(case.folder, inside)
    spec = f"craftc: 1\nname: one\n{case.spec}"
    if name == "command":
        spec = (folder / "spec.yaml").read_text().replace("epochs: 10", "epochs: 6").partition("ablation:")[0]
        spec += "report: {metric: test/accuracy}\n"
    (folder / "one.yaml").write_text(spec)

    assert kill_after(folder, lambda: _num_records(folder) >= 2), "it ended before it was killed"
    before = len(records(folder))
    assert before >= 2
    assert not list(folder.glob("runs/store/*/result.json"))
    resumed = craftc(folder, "run", "one.yaml", "--backend", "inline")
    assert resumed.returncode == 0, resumed.stderr
    assert "begins anew" not in resumed.stderr
    assert before < len(records(folder))

    program = "perl" if name == "command" else sys.executable
    by_hand = subprocess.run(
        [program, *case.by_hand], cwd=folder, env=environment(), capture_output=True, text=True, timeout=600, check=True
    )
    printed = re.findall(case.printed, by_hand.stdout + by_hand.stderr)
    rows = [[float(text) for text in ((row,) if isinstance(row, str) else row)] for row in printed]
    assert rows, by_hand.stdout + by_hand.stderr
    found = [[record[metric] for metric in case.recorded] for record in measured(folder, case)]
    if name == "transformers":  # which prints four digits
        found = [[float(f"{value:.4g}") for value in row] for row in found]
    assert found == rows


def measured(folder: Path, case: Case) -> list[dict[str, Any]]:
    """The records, or what was measured at the end."""
    if not case.recorded[0].startswith("test/"):
        return records(folder)
    (path,) = folder.glob("runs/store/*/result.json")
    last: dict[str, Any] = json.loads(path.read_text())["last"]
    return [last]


def _num_records(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in folder.glob("runs/store/*/metrics.jsonl"))


def kill_after(folder: Path, is_time: Callable[[], bool]) -> bool:
    """Run one.yaml, and kill craftc with SIGKILL at a time; whether it was still running. Nothing of it is left."""
    command = [sys.executable, "-m", "craftc", "run", "one.yaml", "--backend", "inline"]
    with (folder / "killed.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
    deadline = time.monotonic() + 500
    while not is_time() and process.poll() is None:
        assert time.monotonic() < deadline, (folder / "killed.log").read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("name", CASES)
def test_at_most_five_lines_differ(name: str) -> None:
    case = CASES[name]
    before, after = ((case.folder / file).read_text() for file in (case.before, case.after))
    assert len(written_lines(before, after)) <= 5


def written_lines(before: str, after: str) -> list[str]:
    """The lines that were written anew."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line.startswith("+ ") and line[2:].strip()]
