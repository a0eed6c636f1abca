"""Shows the spec, its origin line by line, with what it was trained, and the command that runs it again."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from craftc.report.page.content import PageContent
from craftc.report.page.figure import in_numbers, section
from craftc.report.page.tree import element
from craftc.schemas.result import Result
from craftc.secret_text import masked

MOST_CHARACTERS = 24_000
"""Of each spec."""


def reproduction(content: PageContent) -> Element:
    """The command, the machine, the spec as written and in full."""
    facts = [(name, text) for name, text in _machine(content.results.values()) if text]
    return section(
        "reproduction",
        "To reproduce it",
        element("pre", _command(content), class_="command"),
        element(
            "p",
            "Beside the folder of runs. Trials that are in its store are not trained again; with another ",
            element("code", "--runs-dir"),
            " all are.",
            class_="note",
        ),
        element("dl", [element("div", element("dt", name), element("dd", text)) for name, text in facts]),
        _written(content.spec),
        _resolved(content.resolved),
        _identities(content),
    )


def _command(content: PageContent) -> str:
    kept = "spec.resolved.yaml" if content.resolved else "spec.yaml"
    place = [] if content.runs == "runs" else ["--runs-dir", content.runs]
    return shlex.join(["craftc", "run", f"{content.runs}/{content.run}/{kept}", *place])


def _machine(results: Iterable[Result]) -> list[tuple[str, str]]:
    """As the results record it; with how many trials, where they differ."""
    known = list(results)
    sizes = [f"{result.num_parameters:,}" for result in known if result.num_parameters is not None]
    return [
        ("craftc", _counts(result.craftc_version for result in known)),
        ("Device", _counts(result.device for result in known)),
        ("Precision", _counts(result.execution.precision for result in known)),
        ("Steps compiled", _counts("yes" if result.execution.compiled else "no" for result in known)),
        ("Trained in a batch of", _counts(str(result.execution.batched) for result in known)),
        ("Parameters", _counts(sizes)),
    ]


def _counts(values: Iterable[str]) -> str:
    """`cpu`, or `cpu (12), cuda (3)`."""
    counts = Counter(values)
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{value} ({count})" for value, count in counts.most_common(6)]
    return ", ".join(shown) + (f" and {len(counts) - 6} others" if len(counts) > 6 else "")


def _written(spec: str) -> Element | None:
    """The spec as written, which with bases is the difference to them."""
    if not spec:
        return None
    has_base = re.search(r"^extends:", spec, re.MULTILINE) is not None
    title = "The spec as written, which is its difference to its base" if has_base else "The spec as written"
    return in_numbers(title, element("pre", _cut(masked(spec)), class_="spec"))


def _resolved(resolved: str) -> Element | None:
    """The complete spec; defaults recede."""
    if not resolved:
        return None
    lines: list[Element | str] = []
    for line in _cut(masked(resolved)).splitlines():
        if line.endswith("# default"):
            lines += [element("span", line, class_="default"), "\n"]
        else:
            lines.append(line + "\n")
    title = "The complete spec: every default and every included file, with the place that each value is from"
    return in_numbers(title, element("pre", lines, class_="spec"))


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"


def _identities(content: PageContent) -> Element | None:
    """What each metric is; those of passes are the same by another name."""
    metrics = dict(item for result in content.results.values() for item in result.identities.items())
    known = sorted((name, identity) for name, identity in metrics.items() if "." not in name)[:40]
    lines = [element("div", element("dt", name), element("dd", identity)) for name, identity in known]
    return in_numbers("What each metric is", element("dl", lines)) if lines else None
