"""Draws how each point of a search trained: the optimized metric by epoch, and where pruned points ended."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from craftc.report.page.axis import Axis, minus, path, percent, robust, tick_texts
from craftc.report.page.content import PageContent
from craftc.report.page.curves import Curve, mean_curve
from craftc.report.page.figure import figure
from craftc.report.page.search_points import SearchFigures
from craftc.report.page.tree import element

HEIGHT = 190
MOST_VALUES = 6_000
"""Of all lines together."""


def search_curves(figures: SearchFigures, content: PageContent) -> Element | None:
    """Means over the seeds of a point that have an epoch. None where there are no records of that metric."""
    found = {
        point.number: curve for point in figures.points if (curve := _curve(point.trials, figures.metric, content))
    }
    if not found:
        return None
    step = -(-sum(len(curve.epochs) for curve in found.values()) // MOST_VALUES)
    across = Axis(1, max(2, *(curve.epochs[-1] for curve in found.values())))
    up, is_cut = robust([mean for curve in found.values() for mean in curve.means])
    shades = figures.shades()
    lines, ends = [], []
    for point in figures.worst_first:
        if (curve := found.get(point.number)) is not None:
            places = [(across.at(epoch), up.at(mean)) for epoch, mean in zip(curve.epochs, curve.means, strict=True)]
            kept = [*places[:-1:step], places[-1]]
            lines.append(element("path", class_=f"through {shades[point.number]}", d=path(kept)))
            if point.value is None:
                y = min(HEIGHT, max(0.0, HEIGHT * (100 - places[-1][1]) / 100))
                ends.append(
                    element(
                        "circle",
                        class_=f"ended {shades[point.number]}",
                        cx=percent(places[-1][0]),
                        cy=f"{y:.1f}",
                        r="2",
                    )
                )
    ticks = up.ticks()
    grid = [element("path", class_="grid", d=path([(0, up.at(tick)), (100, up.at(tick))])) for tick in ticks]
    inner = element("svg", grid, lines, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height=HEIGHT)
    scale = [
        element("text", text, x="100%", y=f"{HEIGHT * (100 - up.at(tick)) / 100 + 4:.0f}", text_anchor="end")
        for tick, text in zip(ticks, tick_texts(ticks), strict=True)
    ]
    plot = element(
        "div", element("svg", scale), element("svg", inner, ends, _axis(across)), class_="plot tall curves-of-search"
    )
    title = f"{figures.metric} of each point by {content.conclusion.record_name}"
    notes = [
        "The stronger a line, the better it ended; the best one is thick. Dots: where points were pruned or failed."
    ]
    notes += ["Values far beyond the others are cut off."] if is_cut else []
    return figure(
        title,
        plot,
        f"{title}. {_said(figures, found)}",
        " ".join([*notes, figures.left_out]).strip(),
        class_=figures.density,
    )


def _curve(trials: tuple[str, ...], metric: str, content: PageContent) -> Curve | None:
    by_seed = [
        {
            record.epoch: record.metrics[metric]
            for record in content.histories.get(trial, ())
            if metric in record.metrics
        }
        for trial in trials
    ]
    return mean_curve([each for each in by_seed if each])


def _said(figures: SearchFigures, found: Mapping[int, Curve]) -> str:
    best = figures.best
    parts = []
    if best is not None and best.number in found:
        curve = found[best.number]
        first, last = (minus(f"{value:.4g}") for value in (curve.means[0], curve.means[-1]))
        parts.append(f"The best, point {best.number}: {first} at {curve.epochs[0]}, {last} at {curve.epochs[-1]}.")
    pruned = [
        found[point.number].epochs[-1] for point in figures.points if point.state == "pruned" and point.number in found
    ]
    if pruned:
        parts.append(f"{len(pruned)} points were pruned, behind {min(pruned)} to {max(pruned)}.")
    return " ".join(parts)


def _axis(across: Axis) -> list[Element]:
    made = [element("line", class_="tick", x1="0", x2="100%", y1=f"{HEIGHT}", y2=f"{HEIGHT}")]
    for epoch, anchor in ((across.low, "start"), (across.high, "end")):
        made.append(
            element("text", f"{epoch:.0f}", x=percent(across.at(epoch)), y=f"{HEIGHT + 15}", text_anchor=anchor)
        )
    return made
