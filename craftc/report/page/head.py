"""Shows what was asked, what was measured, how far the run is, and what it showed, in sentences."""

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from craftc.report.correction import CORRECTIONS
from craftc.report.numbers import counted
from craftc.report.page.axis import minus
from craftc.report.page.content import PageContent
from craftc.report.page.figure import scrolling, section
from craftc.report.page.tree import Child, element
from craftc.report.wording import title, told
from craftc.schemas.conclusion import Conclusion

LARGEST = ("trivial", "difference", "search")
"""The kinds of findings that stand out."""
MOST_UNBROKEN = 24


def head(content: PageContent) -> Element:
    """The name, the question, and the facts of the run."""
    facts = [(name, text) for name, text in _facts(content) if text]
    return element(
        "header",
        element("h1", content.conclusion.name),
        element("p", content.description, class_="question") if content.description else None,
        element("dl", [element("div", element("dt", name), element("dd", text)) for name, text in facts]),
    )


def _facts(content: PageContent) -> list[tuple[str, str]]:
    conclusion, results = content.conclusion, content.results.values()
    seeds = {(trial.seed, trial.fold) for trial in content.plan.trials}
    folds = {trial.fold for trial in content.plan.trials if trial.fold is not None}
    with_folds = f", {counted(len(folds), 'fold')}" if folds else ""
    num_seeds = counted(len({seed for seed, _ in seeds}), "seed")
    return [
        ("Run", content.run),
        ("Began", content.began),
        ("Status", status(content)),
        ("Metric", title(conclusion)),
        ("Measured on", _measured_on(content)),
        ("Compared", f"{counted(len(conclusion.variants), 'variant')}, {num_seeds}{with_folds}"),
        ("Training", _clock(sum(result.seconds for result in results)) if results else ""),
    ]


def status(content: PageContent) -> str:
    """How far the run is: `all 30 trials finished`."""
    num, done, failed = len(content.plan.trials), len(content.results), len(content.failures)
    parts = [
        f"all {counted(num, 'trial')} finished" if done == num > 1 else f"{done} of {counted(num, 'trial')} finished"
    ]
    if failed:
        parts.append(f"{failed} failed")
    if content.is_running and (done + failed < num or (content.plan.search is not None and content.search is None)):
        return f"running when this page was written: {', '.join(parts)}"
    if done + failed < num:
        parts.append(f"{num - done - failed} not trained to the end")
    points = (
        Counter(point.state for study in content.search.summary.studies for point in study.points)
        if content.search
        else {}
    )
    if points:
        states = ", ".join(f"{count} {state}" for state, count in sorted(points.items()))
        parts.append(f"points of the search: {states}")
    return "; ".join(parts)


def _measured_on(content: PageContent) -> str:
    split = content.conclusion.metric.split
    sizes = {result.split_sizes.get(split) for result in content.results.values()}
    known = sorted(size for size in sizes if size is not None)
    if not known:
        return split
    samples = f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
    return f"{split}, {samples} samples"


def _clock(seconds: float) -> str:
    """`42 s`, `5 min`, `3.2 h`: of all trials together, as if one had been trained after another."""
    if seconds < 100:
        return f"{seconds:.0f} s, trials added up"
    return f"{seconds / 60:.0f} min, trials added up" if seconds < 6000 else f"{seconds / 3600:.1f} h, trials added up"


def findings(conclusion: Conclusion) -> Element:
    """The sentences of the report, the most telling first."""
    lines = told(conclusion.findings)
    kinds = {finding.text: finding.kind for finding in conclusion.findings}
    names = [row.name for row in conclusion.variants]
    items = [
        element("li", with_names(line, names), class_="telling" if kinds.get(line) in LARGEST else None)
        for line in lines
    ]
    return section("findings", "Findings", element("ul", items, class_="findings") if items else element("p", "None."))


def hypotheses(conclusion: Conclusion) -> Element | None:
    """What was expected before the run, and what became of it; None where nothing was."""
    if not conclusion.hypotheses:
        return None
    rows = [
        element(
            "tr",
            element("th", each.text, scope="row"),
            element("td", each.outcome, class_=f"outcome {each.outcome}"),
            element("td", minus(each.reason), class_="words"),
        )
        for each in conclusion.hypotheses
    ]
    header = element("tr", [element("th", name, scope="col") for name in ("hypothesis", "is", "by")])
    caption = element("caption", "Hypotheses and what became of them", class_="unseen")
    table = element("table", caption, element("thead", header), element("tbody", rows), class_="hypotheses")
    note = f"Written before the run, and a family of their own, with {CORRECTIONS[conclusion.correction]}."
    return section("hypotheses", "Hypotheses", scrolling("Hypotheses", table), element("p", note, class_="note"))


def with_names(text: str, names: Sequence[str]) -> list[Child]:
    """The text, in which short names of variants are not broken behind their hyphen."""
    short = sorted(
        (name for name in names if name.startswith("-") and len(name) <= MOST_UNBROKEN), key=len, reverse=True
    )
    if not short:
        return [text]
    pieces = re.split(rf"(?<![\w-])({'|'.join(map(re.escape, short))})(?![\w-])", text)
    return [element("span", piece, class_="whole") if index % 2 else piece for index, piece in enumerate(pieces)]
