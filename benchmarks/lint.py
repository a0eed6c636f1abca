"""How many specs `craftc lint` reads in a second: one process, 200 specs of the size of an experiment, all different.

python benchmarks/lint.py [--specs 200] [--rounds 5]
"""

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def mutated(text: str, number: int) -> str:
    """The spec under a name of its own, with every number changed a little; most of the copies hold mistakes then."""
    numbers = random.Random(number)
    text = re.sub(r"^name: .*", f"name: copy-{number}", text, count=1, flags=re.MULTILINE)
    head, training, rest = text.partition("\ntraining:")
    return head + training + re.sub(r"\b\d+\b", lambda found: str(int(found[0]) + numbers.randrange(3)), rest)


def lint_seconds(folder: Path) -> tuple[float, float, str]:
    """Wall and CPU time of `craftc lint` over a folder, its start included, and what it says in the end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "craftc", "lint", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ended.returncode > 1:
        sys.exit(ended.stderr)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, ended.stderr.splitlines()[-1]


def main() -> None:
    """Print the specs in a second, as written and mutated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    originals = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").glob("*.yaml"))]
    for name, change in (("clean", lambda text, number: text), ("mutated", mutated)):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "search_spaces").symlink_to(ROOT / "search_spaces")
            (Path(folder) / "specs").mkdir()
            for number in range(asked.specs):
                text = re.sub(
                    r"^name: .*", f"name: copy-{number}", originals[number % len(originals)], flags=re.MULTILINE
                )
                (Path(folder) / "specs" / f"{number:03}.yaml").write_text(change(text, number), encoding="utf-8")
            rounds = [lint_seconds(Path(folder) / "specs") for _ in range(asked.rounds)]
        wall, cpu = (statistics.median(taken[index] for taken in rounds) for index in (0, 1))
        print(f"{name:8} {asked.specs / wall:4.0f} specs/s, {asked.specs / cpu:4.0f} per CPU second  ({rounds[0][2]})")


if __name__ == "__main__":
    main()
