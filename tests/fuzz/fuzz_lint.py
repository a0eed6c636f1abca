"""Mutated specs, each linted: none may make a traceback, take two seconds (more to plan many trials), or be told of at a place that is not in it.

python tests/fuzz/fuzz_lint.py --count 20000 --seed 0   exits 1 where one did; the text is then printed
"""
# ruff: noqa: E501 (lists of pieces)

import argparse
import json
import random
import re
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse, compile_spec
from craftc.compiler.reading.parse import parse
from craftc.compiler.render.text import render_text
from craftc.schemas.diagnostic import Diagnostic

ROOT = Path(__file__).parents[2]
MAX_SECONDS = 2.0
MAX_SECONDS_PER_TRIAL = 0.0005
"""More, where the spec is valid and planned too."""

TOKEN = re.compile(r"[\w./%-]+|\s+|.", re.DOTALL)
TOKENS = [
    *"{}[]:,-?&*!|>'\"%@`#~<=", "\n", "\t", "\r", "\r\n", "  ", "\n  ", "\n- ", ": ", "? ", "- ", "&a ", "*a", "<<: *a",
    "<<: [*a, *a]", "!!int ", "!x ", "---\n", "...\n", "%YAML 1.1\n", "|2-\n", ">+\n", "'", '"\\xff"', '"\\0"', "\ufeff", "\x85",
    "\u2028", "\x07", "\ud800", "漢", "é", "0", "-1", "1e999", ".nan", "-.inf", "0x1F", "9" * 40, "1_000", "true", "null", "none",
    "infer", "kind", "model", "ablation.grid", "training.schedule.0.epochs", "model.\u00b2", "999999999999", "a.b.c", "..", "",
    "valid/loss", "test/accuracy", "model.d_model % 0", "((((", "not", "$" + "{env:HOME}", "extends", "use", "craftc", "search", "report",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 1.5, -0.0, 1e308, "", "x", "none", "infer", "digits", "mlp", "adamw", "valid/loss", [], {}, [[]],
    [1, "x", None], {"kind": "x"}, {"kind": 5}, {"kind": "mlp"}, {"": 1}, {"a.b": [1]}, "x" * 500, ["x"] * 50, {"epochs": {"epochs": 1}},
    {"model.hidden": [[1], 2]}, {"training.epochs": [1, 2]}, {"uniform": [0, 1]}, {"choice": [1, "a"]}, "a.b.c", "1 + ", "seed == 0",
]  # fmt: skip


@dataclass
class Tally:
    """What has been seen so far."""

    count: int = 0
    valid: int = 0
    slowest: tuple[float, str] = (0.0, "")
    failures: list[tuple[str, str]] = field(default_factory=list)


def corpus() -> list[tuple[str, str]]:
    """Every golden and maintained spec and search space: name and text."""
    folders = [ROOT / "tests/golden", ROOT / "specs", ROOT / "search_spaces"]
    files = sorted(file for folder in folders for file in folder.rglob("*.yaml"))
    return [(str(file), file.read_text(encoding="utf-8")) for file in files]


def mutate(text: str, others: list[str], draw: random.Random) -> str:
    """A text changed in one to six places: bytes, tokens, or values of the tree."""
    for _ in range(draw.choice([1, 1, 2, 3, 6])):
        text = draw.choice([_bytes, _tokens, _tokens, _nodes, _nodes, _splice])(text, others, draw)
    return text


def _bytes(text: str, _: list[str], draw: random.Random) -> str:
    data = bytearray(text.encode("utf-8", errors="surrogatepass"))
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        data[at : at + draw.randint(0, 3)] = bytes(draw.choices(range(256), k=draw.randint(0, 3)))
    return data.decode("utf-8", errors="replace")


def _tokens(text: str, others: list[str], draw: random.Random) -> str:
    tokens = TOKEN.findall(text) or [""]
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(tokens))
        action = draw.randrange(5)
        if action == 0:
            tokens[at] = draw.choice(TOKENS)
        elif action == 1:
            tokens.insert(at, draw.choice(TOKENS))
        elif action == 2:
            tokens[at] = draw.choice(TOKEN.findall(draw.choice(others)) or [""])
        elif action == 3:
            other = draw.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            del tokens[at : at + draw.randint(1, 4)]
            tokens = tokens or [""]
    return "".join(tokens)


def _splice(text: str, others: list[str], draw: random.Random) -> str:
    lines, theirs = text.splitlines(keepends=True) or [""], draw.choice(others).splitlines(keepends=True) or [""]
    at, begin = draw.randrange(len(lines) + 1), draw.randrange(len(theirs))
    lines[at : at + draw.randint(0, 2)] = theirs[begin : begin + draw.randint(1, 5)]
    return "".join(lines)


def _nodes(text: str, others: list[str], draw: random.Random) -> str:
    document, _ = parse(text, "x.yaml")
    if document is None:
        return _tokens(text, others, draw)
    tree = document.root.plain()
    holders = [holder for holder in _holders(tree) if holder]
    if not holders:
        return json.dumps(draw.choice(VALUES))
    holder = draw.choice(holders)
    key = draw.choice(list(holder) if isinstance(holder, dict) else list(range(len(holder))))
    action = draw.randrange(5)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, dict):
        holder[draw.choice(TOKENS)] = holder.pop(key)
    elif action == 2:
        holder[key] = json.loads(json.dumps(draw.choice(holders)))
    else:
        holder[key] = json.loads(json.dumps(draw.choice(VALUES)))
    return json.dumps(tree, ensure_ascii=False, indent=draw.choice([None, 1]))


def _holders(tree: Any) -> list[Any]:
    if not isinstance(tree, dict | list):
        return []
    inner = tree.values() if isinstance(tree, dict) else tree
    return [tree, *(holder for value in inner for holder in _holders(value))]


def check(text: str, filename: str) -> int:
    """Compile a text, and raise AssertionError where what is told of it cannot be; the number of its trials, 0 where it is
    not valid."""
    analysis = analyse(text, filename, built_in_catalogue())
    render_text(analysis.diagnostics, {filename: text})
    lines = re.split("\r\n|\n|\r", text.removeprefix("\ufeff"))
    for diagnostic in analysis.diagnostics:
        _check_place(diagnostic, filename, lines)
    if analysis.is_valid:
        plan = compile_spec(text, filename, built_in_catalogue()).plan
        return 0 if plan is None else len(plan.trials)
    assert any(d.severity == "error" for d in analysis.diagnostics), "invalid, and no error says why"
    return 0


def _check_place(diagnostic: Diagnostic, filename: str, lines: list[str]) -> None:
    start, end = diagnostic.range.start, diagnostic.range.end
    assert (start.line, start.column) <= (end.line, end.column), f"ends before it begins: {diagnostic}"
    if diagnostic.range.filename == filename:
        for place in (start, end):
            assert place.line <= len(lines), f"beyond the last line: {diagnostic}"
            assert place.column <= len(lines[place.line - 1]) + 1, f"beyond the end of its line: {diagnostic}"


def fuzz(count: int, seed: int) -> Tally:
    """Lint `count` mutated specs; the same for the same seed."""
    texts = corpus()
    others = [text for _, text in texts]
    draw = random.Random(seed)
    tally = Tally()
    for _ in range(count):
        name, text = draw.choice(texts)
        mutated = mutate(text, others, draw)
        start = time.process_time()
        trials = 0
        try:
            trials = check(mutated, name)
        except Exception:  # whatever it is, it is what this looks for
            tally.failures.append((traceback.format_exc(), mutated))
        seconds = time.process_time() - start
        tally.count += 1
        tally.valid += trials > 0
        tally.slowest = max(tally.slowest, (seconds, mutated))
        if seconds > MAX_SECONDS + trials * MAX_SECONDS_PER_TRIAL:
            tally.failures.append((f"took {seconds:.1f} s", mutated))
    return tally


def main() -> int:
    """Fuzz as long as is asked, and tell what came of it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=20_000, help="texts")
    arguments.add_argument("--seed", type=int, default=0, help="of the mutations")
    given = arguments.parse_args()
    start = time.perf_counter()
    tally = fuzz(given.count, given.seed)
    for trace, text in tally.failures[:10]:
        print(f"{'=' * 80}\n{text!r}\n{trace}")
    seconds = time.perf_counter() - start
    print(f"{tally.count:,} texts in {seconds:.0f} s, {tally.valid:,} of them valid; {len(tally.failures)} failures")
    print(f"the slowest took {tally.slowest[0]:.2f} s: {tally.slowest[1][:200]!r}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
