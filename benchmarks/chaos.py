"""Damages files, fills disks and kills drivers while a small spec is run, and counts what became of it.

    python benchmarks/chaos.py                                   # in small: the table of docs/reliability.md
    python benchmarks/chaos.py --corruptions 300 --disks 24 --kills 100

A disk is a file system of its own in memory, for which this has to be run as root on Linux; else that row is left out.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked_craftc import Ended, craftc

SPEC = """\
craftc: 1
name: chaos
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 4, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {grid: {training.optimizer.lr: [1e-2, 1e-3]}, seeds: 2}
"""
SEALED = ("result.json", "config.json", "metrics.jsonl", "plan.json", "spec.resolved.yaml", "manifest.json")
RUN = ("run", "chaos.yaml", "--backend", "inline")
DISK_FULL = 5


@dataclass
class Row:
    """What was done so many times; how often each of `outcomes` came of it. `bad` names what should never be."""

    what: str
    times: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> None:
        """One more."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def check(self, is_right: bool, what: str, ended: Ended | None = None) -> None:
        """Note what is wrong, with what the command said."""
        if not is_right:
            self.bad.append(what if ended is None else f"{what}: exit {ended.code}: {ended.stderr[-2000:]}")


def numbers(folder: Path) -> Any:
    """What the report says of each trial."""
    found = craftc(folder, "report", "chaos", "--format", "json")
    return {row["name"]: row["seeds"] for row in json.loads(found.stdout)["variants"]}


def corrupt(finished: Path, right: Any, times: int, chance: random.Random) -> Row:
    """Damage one of the sealed files of a finished run, then run the spec again."""
    row = Row("a bit, a byte, a digit or the end of a sealed file is changed, or it is that of another trial", times)
    for _ in range(times):
        with _copy(finished) as folder:
            path = chance.choice(sorted((folder / "runs").rglob(chance.choice(SEALED))))
            done = chance.choice([_flip, _cut, _edit, _swap])(path, chance)
            reported = craftc(folder, "report", "chaos", "--format", "json")
            ran = craftc(folder, *RUN)
            said = reported.stderr + ran.stderr
            told = any(word in said for word in ("damaged", "warning[result-unreadable]", "is made again"))
            row.count("reported" if told else "harmless")
            row.check("Traceback" not in reported.stderr + ran.stderr, f"{path.name}, {done}: a traceback", ran)
            row.check(ran.code == 0 and numbers(folder) == right, f"{path.name}, {done}: other numbers", ran)
    return row


def fill(finished: Path, right: Any, times: int) -> Row:
    """Run the spec on disks of several sizes, then again with room."""
    row = Row("the disk is full, at a size between nothing and what the run needs", times)
    needs = sum(path.stat().st_size for path in finished.rglob("*") if path.is_file()) // 1024 + 200
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(times):
            size = 12 + number * needs // times
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", place], check=True)
            try:
                (folder / "chaos.yaml").write_text(SPEC, encoding="utf-8")
                full = craftc(folder, *RUN)
                kept = _finished(folder)
                subprocess.run(["mount", "-o", "remount,size=100m", place], check=True)
                again = craftc(folder, *RUN)
                row.count("ended in one sentence, exit 5" if full.code == DISK_FULL else "had room")
                sentences = full.stderr.count("error[")
                row.check((full.code, sentences) in ((DISK_FULL, 1), (0, 0)), f"{size} kB", full)
                row.check("Traceback" not in full.stderr + again.stderr, f"{size} kB: a traceback", full)
                row.check(again.code == 0 and numbers(folder) == right, f"{size} kB: other numbers", again)
                row.check(kept.items() <= _finished(folder).items(), f"{size} kB: trained twice", again)
                row.check(not _unfinished_files(folder), f"{size} kB: left {_unfinished_files(folder)}")
            finally:
                subprocess.run(["umount", place], check=True)
    return row


def kill(right: Any, times: int, takes_s: float, chance: random.Random) -> Row:
    """Kill the driver at a random moment of a run that takes so long, then run the spec again."""
    row = Row("the driver is killed (SIGKILL), inline", times)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "chaos.yaml").write_text(SPEC, encoding="utf-8")
            after = chance.uniform(0.0, takes_s)
            craftc(folder, *RUN, kill_after_s=after)
            kept = _finished(folder)
            row.count(f"with {len(kept)} of 4 trials finished")
            again = craftc(folder, *RUN)
            row.check(again.code == 0 and numbers(folder) == right, f"after {after:.2f} s: other numbers", again)
            row.check(kept.items() <= _finished(folder).items(), f"after {after:.2f} s: trained twice", again)
    return row


def _finished(folder: Path) -> dict[str, int]:
    """When each result was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (folder / "runs" / "store").glob("*/result.json")}


def _unfinished_files(folder: Path) -> list[str]:
    """Files with a temporary name."""
    hidden = (path for path in folder.rglob(".*") if path.is_file() and ".locks" not in path.parts)
    return [path.name for path in hidden if not path.name.endswith(".lock")]


def _flip(path: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place}"


def _cut(path: Path, chance: random.Random) -> str:
    size = chance.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"cut to {size}"


def _edit(path: Path, chance: random.Random) -> str:
    content = path.read_bytes()
    place = chance.choice([place for place, byte in enumerate(content) if byte in b"123456789"])
    path.write_bytes(content[:place] + b"0" + content[place + 1 :])
    return f"digit at {place}"


def _swap(path: Path, chance: random.Random) -> str:
    others = sorted(other for other in path.parent.parent.glob(f"*/{path.name}") if other != path)
    if others:
        shutil.copyfile(chance.choice(others), path)
    return "another's"


@contextmanager
def _copy(finished: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(finished, Path(place) / "project"))


def in_own_namespace() -> bool:
    """Whether this process may mount; it is begun once more in a namespace of mounts of its own for that."""
    if os.environ.get("CHAOS_UNSHARED"):
        return True
    can = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if not can or can.returncode:
        return False
    os.environ["CHAOS_UNSHARED"] = "1"
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


def main() -> int:
    """Print the table; 1 where something was lost, trained twice, or ended in a traceback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("corruptions", 40), ("disks", 12), ("kills", 10), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    can_mount = asked.disks == 0 or in_own_namespace()
    chance, start = random.Random(asked.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        finished = Path(place)
        (finished / "chaos.yaml").write_text(SPEC, encoding="utf-8")
        first = craftc(finished, *RUN)
        assert first.code == 0, first.stderr
        takes_s = time.monotonic() - start
        right = numbers(finished)
        doing: list[Callable[[], Row]] = [lambda: corrupt(finished, right, asked.corruptions, chance)]
        doing += [lambda: fill(finished, right, asked.disks)] if can_mount else []
        doing += [lambda: kill(right, asked.kills, takes_s, chance)]
        rows = [row for row in (do() for do in doing) if row.times]
    print("| what was done | times | outcomes | lost, trained twice, or a traceback |\n|---|---|---|---|")
    for row in rows:
        outcomes = ", ".join(f"{num} {outcome}" for outcome, num in sorted(row.outcomes.items()))
        print(f"| {row.what} | {row.times} | {outcomes} | {len(row.bad)} |")
    print(f"({time.monotonic() - start:.0f} s)", file=sys.stderr)
    for row in rows:
        print(*row.bad, sep="\n", file=sys.stderr)
    return 1 if any(row.bad for row in rows) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
