"""Draws each seed's value of the baseline and of a variant, joined by a line."""

from xml.etree.ElementTree import Element

from craftc.report.numbers import choose_decimals, fixed
from craftc.report.page.axis import Axis, around, minus, tick_texts
from craftc.report.page.chosen_variants import compared, pair_variants
from craftc.report.page.content import PageContent
from craftc.report.page.figure import figure, variant_name
from craftc.report.page.paired import Pair, pairs
from craftc.report.page.tree import element

MOST_LINES = 600
"""In all panels together."""
HEIGHT = 112
LEFT, RIGHT = "12%", "88%"


def paired_lines(content: PageContent) -> Element | None:
    """None where nothing was compared, or where there is one seed and a line would look like a result."""
    conclusion = content.conclusion
    baseline = next((row for row in conclusion.variants if row.is_baseline), None)
    if baseline is None:
        return None
    found = {row.name: pairs(row, baseline) for row in pair_variants(conclusion)}
    found = {name: each for name, each in found.items() if len(each) > 1}
    most = MOST_LINES // max(1, len(found))
    if not found:
        return None
    metric = f"{conclusion.metric.split}/{conclusion.metric.name}"
    up = around(value for each in found.values() for pair in each for value in (pair.value, pair.reference))
    panels = [_panel(name, each[:most], up, conclusion.mode) for name, each in found.items()]
    decimals = choose_decimals(conclusion)
    said = [_said(name, each, decimals) for name, each in found.items()]
    title = f"{metric} of each seed: {baseline.name} on the left, the variant on the right"
    notes = ["Full lines: better than the baseline. Dashed lines: not better."]
    if len(found) < len(compared(conclusion)):
        notes.append(f"{len(found)} of {len(compared(conclusion))} variants are drawn, those that differ most.")
    if any(len(each) > most for each in found.values()):
        notes.append(f"The first {most} lines of each are drawn.")
    return figure(title, panels, f"{title}. {'; '.join(said)}.", " ".join(notes), class_="panels slopes")


def _panel(name: str, paired: list[Pair], up: Axis, mode: str) -> Element:
    ticks = up.ticks(4)
    scale = [
        element("text", text, x="100%", y=f"{_down(up, tick) + 4:.0f}", text_anchor="end")
        for tick, text in zip(ticks, tick_texts(ticks), strict=True)
    ]
    marks = [
        element("line", class_="grid", x1="0", x2="100%", y1=f"{_down(up, tick):.0f}", y2=f"{_down(up, tick):.0f}")
        for tick in ticks
    ]
    for pair in paired:
        is_better = pair.difference > 0 if mode == "max" else pair.difference < 0
        kind = "better" if is_better else "worse"
        ends = [f"{_down(up, value):.1f}" for value in (pair.reference, pair.value)]
        title = element("title", pair.label)
        marks.append(element("line", title, class_=f"pair {kind}", x1=LEFT, x2=RIGHT, y1=ends[0], y2=ends[1]))
        marks += [
            element("circle", class_=f"end {kind}", cx=x, cy=y, r="2.4")
            for x, y in zip((LEFT, RIGHT), ends, strict=True)
        ]
    plot = element("div", element("svg", scale), element("svg", marks), class_="plot")
    return element("div", element("p", variant_name(name), class_="name"), plot, class_="panel")


def _down(up: Axis, value: float) -> float:
    """Pixels from the top."""
    return HEIGHT * (100 - up.at(value)) / 100


def _said(name: str, paired: list[Pair], decimals: int) -> str:
    texts = [
        f"{pair.label} {minus(fixed(pair.reference, decimals))} to {minus(fixed(pair.value, decimals))}"
        for pair in paired
    ]
    return f"{name}: {', '.join(texts)}"
