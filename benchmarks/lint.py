"""How many specs `craftc lint` reads in a second: one process, 200 copies of a maintained spec, all different.

python benchmarks/lint.py [--small] [--specs 200] [--rounds 3] [--json FILE]
"""

import random
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from processes import ROOT, timed_process
from side_by_side import Numbers, argument_parser, compare, fix_threads, with_rounds, write


def renamed(text: str, number: int) -> str:
    """The spec under a name of its own."""
    return re.sub(r"^name: .*", f"name: copy-{number}", text, count=1, flags=re.MULTILINE)


def mutated(text: str, number: int) -> str:
    """The same with every number from `training` on changed a little; many of the copies hold mistakes then."""
    numbers = random.Random(number)
    head, training, rest = renamed(text, number).partition("\ntraining:")
    return head + training + re.sub(r"\b\d+\b", lambda found: str(int(found[0]) + numbers.randrange(3)), rest)


def write_copies(folder: Path, text: str, copy: Callable[[str, int], str], num_specs: int) -> Path:
    """Specs in a folder of their own, and beside it the search spaces that they name."""
    (folder / "search_spaces").symlink_to(ROOT / "search_spaces")
    specs = folder / "specs"
    specs.mkdir()
    for number in range(num_specs):
        (specs / f"{number:03}.yaml").write_text(copy(text, number), encoding="utf-8")
    return specs


def linted(folder: Path, num_specs: int) -> Numbers:
    """`craftc lint` over a folder, its start included. It ends with 1 where it finds mistakes."""
    taken = timed_process([sys.executable, "-m", "craftc", "lint", str(folder)], codes=(0, 1))
    return {**taken, "specs/s": num_specs / taken["wall s"], "specs/CPU s": num_specs / taken["CPU s"]}


def main() -> None:
    """Print the specs in a second, for copies of each maintained spec."""
    parser = argument_parser(__doc__)
    parser.add_argument("--specs", type=int, default=None)
    options = with_rounds(parser.parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    num_specs = options.specs or (50 if options.small else 200)
    with ExitStack() as stack:
        sides = {}
        for path in sorted((ROOT / "specs").glob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            for name, copy in (("as written", renamed), ("mutated", mutated)):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                specs = write_copies(folder, text, copy, num_specs)
                sides[f"{path.name}, {name}"] = partial(linted, specs, num_specs)
        title = f"craftc lint of {num_specs} specs"
        table = compare(title, next(iter(sides)), sides, rounds=options.rounds, warm_up=0 if options.small else 1)
    write(options, "lint", [table])


if __name__ == "__main__":
    main()
