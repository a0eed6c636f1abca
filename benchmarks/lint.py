"""How many specs `craftc lint` reads in a second: one process, 200 copies of a maintained spec, all different.

python benchmarks/lint.py [--specs 200] [--rounds 3]
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


def renamed(text: str, number: int) -> str:
    """The spec under a name of its own."""
    return re.sub(r"^name: .*", f"name: copy-{number}", text, count=1, flags=re.MULTILINE)


def mutated(text: str, number: int) -> str:
    """The same with every number from `training` on changed a little; many of the copies hold mistakes then."""
    numbers = random.Random(number)
    head, training, rest = renamed(text, number).partition("\ntraining:")
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
    """Print the specs in a second, for copies of each maintained spec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        for name, copy in (("as written", renamed), ("mutated", mutated)):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "search_spaces").symlink_to(ROOT / "search_spaces")
                (Path(folder) / "specs").mkdir()
                for number in range(asked.specs):
                    (Path(folder) / "specs" / f"{number:03}.yaml").write_text(copy(text, number), encoding="utf-8")
                rounds = [lint_seconds(Path(folder) / "specs") for _ in range(asked.rounds)]
            wall, cpu = (statistics.median(taken[index] for taken in rounds) for index in (0, 1))
            rates = f"{asked.specs / wall:4.0f} specs/s, {asked.specs / cpu:4.0f} per CPU second"
            print(f"{path.name:18} {name:10} {rates}  ({rounds[0][2]})")


if __name__ == "__main__":
    main()
