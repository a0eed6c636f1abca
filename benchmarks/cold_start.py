"""What a cold `craftc lint` costs beside the libraries that it stands on: whole processes, in turn.

python benchmarks/cold_start.py [SPEC] [--small] [--rounds 15] [--json FILE]
"""

import sys
from functools import partial
from pathlib import Path

from processes import ROOT, timed_process
from side_by_side import argument_parser, compare, fix_threads, with_rounds, write

# What such a program usually stands on, and what the goal is measured by; and the two of them that linting imports.
IMPORTED = "import pydantic, ruamel.yaml, click"
ITS_OWN = "import yaml, click"
BASE = "pydantic, ruamel.yaml, click imported"


def main() -> None:
    """Print the medians, and their ratios to the bare imports."""
    parser = argument_parser(__doc__)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs" / "vit_ablation.yaml"))
    options = with_rounds(parser.parse_args(), rounds=15, small_rounds=5)
    fix_threads(options.threads)
    commands = {
        BASE: [sys.executable, "-c", IMPORTED],
        "PyYAML and click imported": [sys.executable, "-c", ITS_OWN],
        "craftc lint": [sys.executable, "-m", "craftc", "lint", str(Path(options.spec).absolute())],
    }
    sides = {name: partial(timed_process, command) for name, command in commands.items()}
    # The round that does not count writes the bytecode.
    write(options, "cold_start", [compare("A cold craftc lint", BASE, sides, rounds=options.rounds)])


if __name__ == "__main__":
    main()
