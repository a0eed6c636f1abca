"""Draws the points of a search as lines through one axis for each parameter, which lie below each other."""

import json
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from craftc.compiler.variants.variant_names import short_names
from craftc.report.page.axis import Axis, anchor, minus, percent, robust, tick_texts
from craftc.report.page.figure import figure
from craftc.report.page.search_points import SearchFigures
from craftc.report.page.tree import element
from craftc.report.search_cells import value_text
from craftc.schemas.search import SearchPoint

ROW = 50
TOP = 18
MOST_CHOICES = 12
MOST_LETTERS = 60
"""Of all choices of one axis, more of which would overlap on a phone: then the first and the last alone have names."""


def parallel_coordinates(figures: SearchFigures) -> Element | None:
    """The optimized metric is the first axis. None where fewer than two points have a value, or nothing is searched."""
    if len(figures.finished) < 2 or not figures.space or figures.best is None:
        return None
    value_axis, _ = robust([point.value for point in figures.finished if point.value is not None])
    height = TOP + ROW * len(figures.space) + 22
    shades = figures.shades()
    lines = [
        element("path", class_=f"through {shades[point.number]}", d=_through(point, figures, value_axis, height))
        for point in figures.worst_first
        if point.params
    ]
    names = short_names(set(figures.space))
    axes = _axis(figures.metric, TOP, [(value_axis.at(tick), text) for tick, text in _ticks(value_axis)])
    for index, (path, form) in enumerate(figures.space.items()):
        axes += _axis(names[path], TOP + ROW * (index + 1), _places(form))
    inner = element("svg", lines, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height=height)
    title = f"Every point, from its {figures.metric} through its values"
    best = ", ".join(f"{names[path]} {value_text(value)}" for path, value in figures.best.params.items())
    said = f"The best, point {figures.best.number}, has {minus(f'{figures.best.value:.4g}')} with {best}."
    note = (
        "The stronger a line, the better; the best one is thick. What was pruned has no value and begins at the second "
        "axis. "
    )
    drawing = element("svg", inner, axes, style=f"height: {height}px")
    return figure(
        title, drawing, f"{title}. {said}", said, note + figures.left_out, class_=f"parallel {figures.density}"
    )


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    ticks = axis.ticks(5)
    return list(zip(ticks, tick_texts(ticks), strict=True))


def _through(point: SearchPoint, figures: SearchFigures, value_axis: Axis, height: int) -> str:
    """In a box of 100 by 100."""
    places = [] if point.value is None else [(_within(value_axis.at(point.value)), TOP)]
    for index, (path, form) in enumerate(figures.space.items()):
        if path in point.params and (place := _place(form, point.params[path])) is not None:
            places.append((place, TOP + ROW * (index + 1)))
    return "M" + "L".join(f"{x:.1f} {100 * y / height:.1f}".replace(".0", "") for x, y in places)


def _place(form: Mapping[str, Any], value: Any) -> float | None:
    """Where a value lies on the axis of its range, in percent; None of a choice that is none of it."""
    axis = _numeric(form)
    if axis is None:
        keys = [_key(choice) for choice in _choices(form)]
        return 100 * (keys.index(_key(value)) + 0.5) / len(keys) if _key(value) in keys else None
    if isinstance(value, bool) or not isinstance(value, int | float) or (axis.is_log and value <= 0):
        return None
    return _within(axis.at(value))


def _within(place: float) -> float:
    return min(100.0, max(0.0, place))


def _places(form: Mapping[str, Any]) -> list[tuple[float, str]]:
    """What stands below the axis of a range."""
    axis = _numeric(form)
    if axis is not None:
        return [(axis.at(end), value_text(end)) for end in (axis.low, axis.high)]
    texts = [value_text(choice) for choice in _choices(form)]
    places = [100 * (index + 0.5) / len(texts) for index in range(len(texts))]
    if len(texts) > MOST_CHOICES or sum(map(len, texts)) > MOST_LETTERS:
        return [(places[0], texts[0][:24]), (places[-1], texts[-1][:24])]
    return list(zip(places, texts, strict=True))


def _numeric(form: Mapping[str, Any]) -> Axis | None:
    """The axis of a range of numbers; one that has a single value is a choice."""
    kind, values = next((kind, values) for kind, values in form.items() if kind != "step")
    if kind not in ("uniform", "log_uniform", "int", "log_int") or values[0] >= values[1]:
        return None
    return Axis(values[0], values[1], is_log=kind.startswith("log"))


def _choices(form: Mapping[str, Any]) -> list[Any]:
    values = next(values for kind, values in form.items() if kind != "step")
    return list(dict.fromkeys(values)) if all(isinstance(v, str) for v in values) else list(values)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _axis(name: str, y: int, places: list[tuple[float, str]]) -> list[Element]:
    made = [element("line", class_="tick", x1="0", x2="100%", y1=f"{y}", y2=f"{y}")]
    made.append(element("text", name, class_="axis-name", x="0", y=f"{y - 6}"))
    for place, text in places:
        made.append(
            element("text", text, class_="on-lines", x=percent(place), y=f"{y + 13}", text_anchor=anchor(place))
        )
    return made
