"""How many specs `craftc lint` reads in a second: one process, 200 specs of the size of an experiment, all different.

python benchmarks/lint.py [--specs 200] [--rounds 5]
"""

import argparse
import os
import random
import re
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


def lint_seconds(folder: Path) -> tuple[float, str]:
    """Wall time of `craftc lint` over a folder, its start included, and what it says in the end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    command = [sys.executable, "-m", "craftc", "lint", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ended.returncode > 1:
        sys.exit(ended.stderr)
    return time.perf_counter() - begin, ended.stderr.splitlines()[-1]


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
        seconds = statistics.median(taken for taken, _ in rounds)
        print(f"{name:8} {asked.specs / seconds:5.0f} specs/s  ({seconds:.2f} s; {rounds[0][1]})")


if __name__ == "__main__":
    main()
