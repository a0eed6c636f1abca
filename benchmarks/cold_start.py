"""What a cold `craftc` costs beside the libraries that it stands on, and beside a check by the JSON Schema: whole
processes, in turn.

python benchmarks/cold_start.py [SPEC] [--small] [--rounds 15] [--json FILE]
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from processes import ROOT, timed_process
from side_by_side import Numbers, Table, argument_parser, compare, fix_threads, render, with_rounds, write

# What such a program usually stands on, and what the goal is measured by; and the two of them that linting imports.
IMPORTED = "import pydantic, ruamel.yaml, click"
ITS_OWN = "import yaml, click"
BASE = "pydantic, ruamel.yaml, click imported"
SCHEMA = ROOT / "schemas" / "experiment.v1.json"


def run_module(module: str, arguments: Sequence[str]) -> Numbers:
    """`python -m module arguments`. Raises ImportError where it is not installed."""
    if find_spec(module) is None:
        raise ImportError(f"no package {module}", name=module)
    return timed_process([sys.executable, "-m", module, *arguments])


def with_minima(table: Table) -> Table:
    """The same, with the least that each side took: what it costs on a machine that does nothing else."""
    facts = {}
    for side, taken in table.rounds.items():
        wall, cpu = (min(numbers[name] for numbers in taken) for name in ("wall s", "CPU s"))
        facts[f"{side}, at least"] = f"{wall:.3f} s, {cpu:.3f} s of CPU time"
    return replace(table, facts=facts)


def main() -> None:
    """Print the medians, and their ratios to the bare imports."""
    parser = argument_parser(__doc__)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs" / "vit_ablation.yaml"))
    options = with_rounds(parser.parse_args(), rounds=15, small_rounds=5)
    fix_threads(options.threads)
    spec = str(Path(options.spec).absolute())
    commands = (["--help"], ["lint", "--help"], ["lint", spec], ["plan", spec])
    sides = {
        BASE: partial(timed_process, [sys.executable, "-c", IMPORTED]),
        "PyYAML and click imported": partial(timed_process, [sys.executable, "-c", ITS_OWN]),
        **{
            f"craftc {' '.join(word for word in command if word != spec)}": partial(run_module, "craftc", command)
            for command in commands
        },
        "check-jsonschema": partial(run_module, "check_jsonschema", ["--schemafile", str(SCHEMA), spec]),
    }
    # The round that does not count writes the bytecode.
    table = with_minima(compare("Cold commands", BASE, sides, rounds=options.rounds, told=False))
    print(render(table), flush=True)
    write(options, "cold_start", [table])


if __name__ == "__main__":
    main()
