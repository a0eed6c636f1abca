"""Sides measured in turn on one machine, in; a table of medians and ratios, and JSON with the machine, out.

A benchmark is a script that calls `read_options`, `fix_threads`, `compare` once for each of its tables, and `write`.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from machine import describe_machine

BEGUN = time.perf_counter()
"""When the script was started, or nearly."""

Numbers = Mapping[str, float]
"""What one measurement of a side found: quantities by name, with the unit in the name ("wall s", "us per step")."""

Side = Callable[[], Numbers]


@dataclass(frozen=True)
class Table:
    """What was measured of each side: `rounds[side][i]` is from the same round as `rounds[other][i]`.

    Ratios are to `base`, the median of those of the rounds: what makes the whole machine slow for a while is in both.
    `left_out` says of sides that could not be measured why.
    """

    title: str
    base: str
    rounds: Mapping[str, Sequence[Numbers]]
    left_out: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def quantities(self) -> list[str]:
        """The names of all that was measured, in the order in which they were first named."""
        return list(dict.fromkeys(name for taken in self.rounds.values() for numbers in taken for name in numbers))

    def median(self, side: str, quantity: str) -> float | None:
        """Over the rounds; None where this side has no such quantity."""
        values = [numbers[quantity] for numbers in self.rounds[side] if quantity in numbers]
        return median(values) if values else None

    def ratio(self, side: str, quantity: str, *, base: str | None = None) -> float | None:
        """To the base, round by round; None where one of them lacks it or the base is 0."""
        pairs = zip(self.rounds.get(side, []), self.rounds.get(base or self.base, []), strict=False)
        found = [one[quantity] / base[quantity] for one, base in pairs if quantity in one and base.get(quantity)]
        return median(found) if found else None


def read_options(doc: str, *, rounds: int, small_rounds: int, threads: int = 1) -> argparse.Namespace:
    """The options that every benchmark has: `small`, `rounds`, `threads`, `json`."""
    return with_rounds(argument_parser(doc, threads=threads).parse_args(), rounds=rounds, small_rounds=small_rounds)


def with_rounds(options: argparse.Namespace, *, rounds: int, small_rounds: int) -> argparse.Namespace:
    """The options with the number of rounds, where none was asked for."""
    options.rounds = options.rounds or (small_rounds if options.small else rounds)
    return options


def argument_parser(doc: str, *, threads: int = 1) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has, for scripts that have others too: see `with_rounds`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="fewer and smaller: what `make bench` runs")
    parser.add_argument("--rounds", type=int, default=None, help="how often each side is measured")
    parser.add_argument("--threads", type=int, default=threads, help="of torch, in every process")
    parser.add_argument("--json", type=Path, default=None, help="write the numbers here")
    return parser


def fix_threads(threads: int) -> None:
    """The same number of threads in this process and in all that it starts. Call it before torch is imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def compare(
    title: str,
    base: str,
    sides: Mapping[str, Side],
    *,
    rounds: int,
    warm_up: int = 1,
    told: bool = True,
    left_out: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Table:
    """Measure every side once in each round, every other round backwards, and print the table, if it is to be `told`.

    The first `warm_up` rounds are thrown away: imports, bytecode, caches. A side that raises ImportError in the first
    round lacks an optional package and is left out.
    """
    missing, going = dict(left_out or {}), dict(sides)
    taken: dict[str, list[Numbers]] = {name: [] for name in sides}
    for number in range(max(warm_up, 0) + rounds):
        for name in list(going) if number % 2 == 0 else list(reversed(going)):
            try:
                numbers = going[name]()
            except ImportError as error:
                if number > 0:
                    raise
                missing[name] = f"not installed: {error.name or error}"
                del going[name], taken[name]
                continue
            if number >= warm_up:
                taken[name].append(numbers)
    table = Table(title, base, taken, missing, facts or {})
    if told:
        print(render(table), flush=True)
    return table


def render(table: Table) -> str:
    """A table as text: for each side every median and, behind it, its ratio to the base."""
    names = table.quantities()
    width = max([len(side) for side in table.rounds] + [4])
    lines = [table.title, f"{'side':{width}}" + "".join(f"  {name:>{max(len(name), 9)}}  ratio" for name in names)]
    for side in table.rounds:
        line = f"{side:{width}}"
        for name in names:
            middle, ratio = table.median(side, name), table.ratio(side, name)
            line += f"  {shown(middle):>{max(len(name), 9)}}  {'' if ratio is None else f'{ratio:.2f}':>5}"
        lines.append(line.rstrip())
    lines += [f"{side}: left out, {why}" for side, why in table.left_out.items()]
    lines += [f"{name}: {value}" for name, value in table.facts.items()]
    return "\n".join(lines) + "\n"


def shown(number: float | None) -> str:
    """With three or four digits that count; whole numbers as such."""
    if number is None:
        return ""
    if float(number).is_integer() or abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) < 0.1 else f"{number:.{2 if abs(number) < 100 else 1}f}"


def write(options: argparse.Namespace, name: str, tables: Sequence[Table]) -> None:
    """The tables, how they were measured and on what, to the file that `--json` names."""
    if options.json is None:
        return
    content = {
        "benchmark": name,
        "small": options.small,
        "rounds": options.rounds,
        "threads": options.threads,
        "took_s": round(time.perf_counter() - BEGUN),
        "machine": describe_machine(),
        "tables": [asdict(table) for table in tables],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def timed(work: Callable[[], Any]) -> Numbers:
    """Wall time of a call, and the CPU time of this process and of those that it waited for."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return {"wall s": time.perf_counter() - wall, "CPU s": _cpu_seconds() - cpu}


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
