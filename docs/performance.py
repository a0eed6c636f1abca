"""What the benchmarks measured, `docs/measured/*.json`, and the text around it in; `explanation/performance.md` out.

`python docs/performance.py` writes it; with `--check` it exits with 1 where it is out of date.
`make bench-full` measures anew.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

DOCS = Path(__file__).parent
PAGE, TEMPLATE, MEASURED = (
    DOCS / "explanation" / "performance.md",
    DOCS / "explanation" / "performance.in.md",
    DOCS / "measured",
)
NOTICE = "<!-- Written by docs/performance.py: change performance.in.md, or measure anew, and not this file. -->"
NOT_MEASURED = "*Not measured yet.*"


def generate() -> str:
    """The template, each `{{NAME}}` in it replaced by the tables of that benchmark."""
    parts = {
        path.stem: section(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(MEASURED.glob("*.json"))
    }
    template = TEMPLATE.read_text(encoding="utf-8").replace("{{notice}}", NOTICE)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts.get(found[1], NOT_MEASURED), template)


def section(measured: Mapping[str, Any]) -> str:
    """The tables of one benchmark, and what they were measured on."""
    return "\n\n".join([*(table(each) for each in measured["tables"]), conditions(measured)])


def conditions(measured: Mapping[str, Any]) -> str:
    """How and on what."""
    machine = measured["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    size = (
        ", the small version, which is measured while other work runs and gives orders of magnitude"
        if measured["small"]
        else ""
    )
    parts = [
        f"{machine['cores']} cores of {machine['cpu']}",
        f"{machine['memory_gib']} GiB",
        machine["gpu"] or "no GPU",
        machine["system"],
        f"Python {machine['python']}",
        packages,
    ]
    minutes = max(1, round(measured["took_s"] / 60))
    how = f"{_count(measured['rounds'], 'round')}, {_count(measured['threads'], 'thread')} in each process{size}"
    how += f", {_count(minutes, 'minute')} in all"
    return f"<sub>Medians; in brackets the ratio to the first side. {how}. {'; '.join(parts)}.</sub>"


def table(measured: Mapping[str, Any]) -> str:
    """One table in Markdown, its base first, with what was left out and what was noted below it."""
    rounds, base = measured["rounds"], measured["base"]
    quantities = list(dict.fromkeys(name for taken in rounds.values() for numbers in taken for name in numbers))
    lines = [
        f"**{measured['title']}**",
        "",
        "| | " + " | ".join(quantities) + " |",
        "|---|" + "---:|" * len(quantities),
    ]
    for side in sorted(rounds, key=lambda name: name != base):
        cells = [_cell(rounds[side], rounds.get(base), quantity, is_base=side == base) for quantity in quantities]
        lines.append(f"| {side} | " + " | ".join(cells) + " |")
    notes = [f"- {side}: left out, {why}" for side, why in measured["left_out"].items()]
    notes += [f"- {name}: {value}" for name, value in measured["facts"].items()]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _cell(
    taken: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]] | None, quantity: str, *, is_base: bool
) -> str:
    values = [numbers[quantity] for numbers in taken if quantity in numbers]
    if not values:
        return ""
    pairs = zip(taken, base or [], strict=False)
    ratios = [one[quantity] / other[quantity] for one, other in pairs if quantity in one and other.get(quantity)]
    return _shown(median(values)) + (f" ({median(ratios):.2f})" if ratios and not is_base else "")


def _shown(number: float) -> str:
    """With the digits that count."""
    if float(number).is_integer() or abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) < 0.1 else f"{number:.{2 if abs(number) < 10 else 1}f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def main() -> None:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is out of date")
    text = generate()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/explanation/performance.md is out of date: python docs/performance.py")


if __name__ == "__main__":
    main()
