"""Shows what failed and why, and where its log is."""

from xml.etree.ElementTree import Element

from craftc.report.page.content import PageContent
from craftc.report.page.figure import section
from craftc.report.page.tree import element
from craftc.report.wording import failure_line, point_failure_lines

MOST_LINES = 100


def failures(content: PageContent) -> Element | None:
    """None where all went well."""
    conclusion = content.conclusion
    trials = [failure_line(failure, conclusion.record_name) for failure in conclusion.failures]
    points = point_failure_lines(conclusion)
    if not trials and not points:
        return None
    return section(
        "failures",
        "What failed",
        _list("Trials", trials),
        _list("Points of the search", points),
        element(
            "p",
            "Tracebacks and output are in the ",
            element("a", "log", href="log"),
            " beside this page, ",
            element("code", f"{content.run}/log"),
            ".",
            class_="note",
        ),
    )


def _list(title: str, lines: list[str]) -> list[Element]:
    if not lines:
        return []
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    items = [element("li", line) for line in (*lines[:MOST_LINES], *more)]
    return [element("h3", title), element("ul", items, class_="failures")]
