"""What a cold `craftc lint` costs beside the libraries that it stands on: CPU seconds of whole processes, in turn.

python benchmarks/cold_start.py [SPEC] [--rounds 15]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What such a program usually stands on, and what the goal is measured by; and the two of them that linting imports.
LIBRARIES = "import pydantic, ruamel.yaml, click"
ITS_OWN = "import yaml, click"
GOAL = "pydantic, ruamel.yaml, click imported"


def cpu_seconds(command: list[str]) -> float:
    """User and system time of a process that has to succeed. Bytecode is kept, as where packages are installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the medians, and their ratios to the bare imports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs" / "vit_ablation.yaml"))
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    commands = {
        "Python": [sys.executable, "-c", "pass"],
        "PyYAML and click imported": [sys.executable, "-c", ITS_OWN],
        GOAL: [sys.executable, "-c", LIBRARIES],
        "craftc lint": [sys.executable, "-m", "craftc", "lint", str(Path(asked.spec).absolute())],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        cpu_seconds(command)  # writes the bytecode
    for _ in range(asked.rounds):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    bare = statistics.median(times[GOAL])
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:40} {middle:.3f} s CPU  {middle / bare:.2f} times")


if __name__ == "__main__":
    main()
