"""Draws the value of each point of a search in the order in which they were proposed, with the best so far."""

from xml.etree.ElementTree import Element

from craftc.report.page.axis import Axis, anchor, minus, path, percent, robust, tick_texts
from craftc.report.page.figure import figure
from craftc.report.page.search_points import SearchFigures
from craftc.report.page.tree import element
from craftc.schemas.search import SearchPoint

HEIGHT = 150


def search_history(figures: SearchFigures) -> Element | None:
    """None where no point has a value."""
    best = figures.best
    if best is None:
        return None
    across = Axis(
        min(point.number for point in figures.points) - 0.5, max(point.number for point in figures.points) + 0.5
    )
    up, is_cut = robust([point.value for point in figures.points if point.value is not None])
    shades = figures.shades()
    marks = [_mark(point, across, up, shades[point.number]) for point in figures.worst_first]
    steps = _steps(figures)
    line = [
        place
        for number, value, until in steps
        for place in ((across.at(number), up.at(value)), (across.at(until), up.at(value)))
    ]
    drawn = element(
        "svg",
        [element("path", class_="grid", d=path([(0, up.at(tick)), (100, up.at(tick))])) for tick in up.ticks()],
        element("path", class_="best-so-far", d=path(line)),
        viewBox="0 0 100 100", preserveAspectRatio="none", y="0", width="100%", height=HEIGHT,
    )  # fmt: skip
    ticks = up.ticks()
    scale = [
        element("text", text, x="100%", y=f"{_down(up, tick) + 4:.0f}", text_anchor="end")
        for tick, text in zip(ticks, tick_texts(ticks), strict=True)
    ]
    plot = element("div", element("svg", scale), element("svg", drawn, marks, _axis(across)), class_="plot tall")
    title = f"{figures.metric} of each point, in the order in which they were proposed"
    said = ", ".join(f"{minus(f'{value:.4g}')} at {number}" for number, value, _ in steps)
    notes = [
        "Line: the best so far. Ticks at the bottom: points that were pruned, and in another colour those that failed."
    ]
    notes += ["Values far beyond the others lie on the edge."] if is_cut else []
    return figure(title, plot, f"{title}. The best so far: {said}.", " ".join([*notes, figures.left_out]).strip())


def _down(up: Axis, value: float) -> float:
    return min(HEIGHT - 1.0, max(1.0, HEIGHT * (100 - up.at(value)) / 100))


def _mark(point: SearchPoint, across: Axis, up: Axis, shade: str) -> Element:
    x = percent(across.at(point.number))
    if point.value is None:
        return element("line", class_=f"without {shade}", x1=x, x2=x, y1=f"{HEIGHT - 7}", y2=f"{HEIGHT}")
    return element(
        "circle", class_=f"point {shade}", cx=x, cy=f"{_down(up, point.value):.1f}", r="4.5" if shade == "best" else "3"
    )


def _steps(figures: SearchFigures) -> list[tuple[float, float, float]]:
    """From which point to which the best so far had which value."""
    found: list[tuple[float, float]] = []
    for point in figures.finished:
        value = point.value or 0.0
        if not found or (value > found[-1][1] if figures.mode == "max" else value < found[-1][1]):
            found.append((point.number, value))
    ends = [*(number for number, _ in found[1:]), max(point.number for point in figures.points)]
    return [(number, value, end) for (number, value), end in zip(found, ends, strict=True)]


def _axis(across: Axis) -> list[Element]:
    line = element("line", class_="tick", x1="0", x2="100%", y1=f"{HEIGHT}", y2=f"{HEIGHT}")
    numbers = [number for number in across.ticks(8) if number == int(number)]
    return [
        line,
        *(
            element(
                "text",
                f"{number:.0f}",
                x=percent(across.at(number)),
                y=f"{HEIGHT + 15}",
                text_anchor=anchor(across.at(number)),
            )
            for number in numbers
        ),
    ]
