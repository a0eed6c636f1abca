"""Shows each search: its history, what its points were, how they trained, what mattered, and every point as a table."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from craftc.compiler.variants.variant_names import short_names
from craftc.report.numbers import choose_decimals, counted, fixed
from craftc.report.page.axis import minus
from craftc.report.page.content import PageContent
from craftc.report.page.figure import data_table, in_numbers, section
from craftc.report.page.parallel_coordinates import parallel_coordinates
from craftc.report.page.search_curves import search_curves
from craftc.report.page.search_history import search_history
from craftc.report.page.search_points import SearchFigures
from craftc.report.page.tree import Child, element
from craftc.report.search_cells import NOTHING, search_tables, value_text
from craftc.schemas.conclusion import SearchConclusion
from craftc.schemas.search import SearchPoint, StudySummary

MOST_SEARCHES = 6
MOST_POINTS = 300
"""Of all searches together that are drawn and listed."""


def searches(content: PageContent) -> Element | None:
    """None of a run that searched nothing."""
    if content.search is None or content.plan.search is None or not content.search.summary.studies:
        return None
    studies = content.search.summary.studies[:MOST_SEARCHES]
    most = MOST_POINTS // len(studies)
    parts: list[Child] = [_points_table(content)]
    for study in studies:
        conclusion = next((c for c in content.conclusion.searches if c.variant == study.variant), None)
        parts.append(element("h3", study.variant) if len(studies) > 1 else None)
        parts += _of_study(content, study, conclusion, most)
    if len(studies) < len(content.search.summary.studies):
        note = f"{len(studies)} of {len(content.search.summary.studies)} searches are shown."
        parts.append(element("p", note, class_="note"))
    return section("search", "Search" if len(studies) == 1 else "Searches", parts)


def _points_table(content: PageContent) -> Element | None:
    """Start and best of each search, by what was optimized and by the headline."""
    for cells in search_tables(content.conclusion)[:1]:
        rows = [[row[0], *map(minus, row[1:])] for row in cells.rows]
        return data_table(cells.title, list(cells.header), rows, class_="start-and-best")
    return None


def _of_study(
    content: PageContent, study: StudySummary, conclusion: SearchConclusion | None, most: int
) -> list[Element | None]:
    assert content.plan.search is not None
    own = [point for point in study.points if point.kind != "grid"]
    figures = SearchFigures(
        metric=content.plan.search.metric,
        mode=content.plan.search.mode,
        space=content.plan.search.space,
        points=tuple(_kept(own, most, content.plan.search.mode)),
        num_points=len(own),
    )
    return [
        search_history(figures),
        _importances(figures, conclusion),
        parallel_coordinates(figures),
        search_curves(figures, content),
        _every_point(figures, choose_decimals(content.conclusion)),
    ]


def _kept(points: Sequence[SearchPoint], most: int, mode: str) -> list[SearchPoint]:
    """Of too many the start, the best third, and of the rest every so many-th, in their order."""
    if len(points) <= most:
        return list(points)
    sign = -1 if mode == "max" else 1
    ranked = sorted(points, key=lambda p: (p.kind != "start", p.value is None, sign * (p.value or 0.0), p.number))
    best, rest = ranked[: most // 3], sorted(ranked[most // 3 :], key=lambda point: point.number)
    room = most - len(best)
    return sorted([*best, *(rest[index * len(rest) // room] for index in range(room))], key=lambda point: point.number)


def _importances(figures: SearchFigures, conclusion: SearchConclusion | None) -> Element | None:
    """Where each searched value started and where it ended, with a bar for what it mattered."""
    if conclusion is None or conclusion.best is None:
        return None
    shares = conclusion.importances or {}
    largest = max(shares.values(), default=1.0) or 1.0
    rows: list[tuple[str, list[Child]]] = []
    for path in sorted(conclusion.best.params, key=lambda path: -shares.get(path, 0.0)):
        start = conclusion.start.params.get(path) if conclusion.start else None
        bar: list[Child] = []
        if path in shares:
            bar = [
                f"{shares[path]:.2f}",
                element("i", class_="bar-of", style=f"--share: {shares[path] / largest:.2f}"),
            ]
        best = conclusion.best.params[path]
        rows.append((path, [_value(start), _value(best), bar or NOTHING]))
    header = ("path", "start", "best", "importance (fANOVA)" if shares else "importance")
    head = element("thead", element("tr", [element("th", text, scope="col") for text in header]))
    body = [
        element("tr", element("th", path, scope="row"), [element("td", cell) for cell in cells]) for path, cells in rows
    ]
    note = (
        "Importance: the share of the spread of the optimized metric that fANOVA (Hutter et al. 2014) gives each "
        "parameter, over the finished points."
        if shares
        else "Too few points finished for importances."
    )
    table = element(
        "table",
        element("caption", "Searched values", class_="unseen"),
        head,
        element("tbody", body),
        class_="importances",
    )
    return element(
        "div",
        element("div", table, class_="scroll", role="region", aria_label="Searched values", tabindex="0"),
        element("p", note, class_="note"),
    )


def _value(value: object) -> str:
    return NOTHING if value is None else value_text(value)


def _every_point(figures: SearchFigures, decimals: int) -> Element:
    """The numbers of all the figures of a search."""
    names = short_names(set(figures.space))
    header = ["point", "state", figures.metric, "epochs", *(names[path] for path in figures.space)]
    rows = [
        [
            "start" if point.kind == "start" else str(point.number),
            point.state,
            "" if point.value is None else minus(fixed(point.value, decimals)),
            str(point.epochs_trained),
            *("" if path not in point.params else value_text(point.params[path]) for path in figures.space),
        ]
        for point in figures.points
    ]
    title = (
        "Every point in numbers"
        if len(rows) == figures.num_points
        else f"{len(rows)} of {counted(figures.num_points, 'point')} in numbers"
    )
    return in_numbers(title, data_table(title, header, rows, class_="sortable data"))
