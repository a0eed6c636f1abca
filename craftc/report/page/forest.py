"""Draws the paired differences to the baseline as a forest plot: mean, interval, and a dot for each seed."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from craftc.report.numbers import bracketed, choose_decimals, fixed
from craftc.report.page.axis import Axis, anchor, around, minus, percent, tick_texts
from craftc.report.page.chosen_variants import compared, forest_variants
from craftc.report.page.content import PageContent
from craftc.report.page.figure import figure, section, variant_name
from craftc.report.page.paired import Pair, pairs
from craftc.report.page.paired_lines import paired_lines
from craftc.report.page.tree import element
from craftc.schemas.conclusion import Conclusion, Difference, VariantSummary

MOST_DOTS = 1_500
"""Of single seeds, in all rows together."""


def forest(content: PageContent) -> Element | None:
    """None where nothing was compared."""
    conclusion = content.conclusion
    rows = forest_variants(conclusion)
    baseline = next((row for row in conclusion.variants if row.is_baseline), None)
    if not rows or baseline is None:
        return None
    paired = [pairs(row, baseline) for row in rows]
    axis = _axis(rows, paired, conclusion.margin)
    decimals = choose_decimals(conclusion)
    with_dots = sum(map(len, paired)) <= MOST_DOTS
    drawn = [
        _row(row, each if with_dots else [], axis, decimals, conclusion.margin)
        for row, each in zip(rows, paired, strict=True)
    ]
    said = [_said(row, each, decimals) for row, each in zip(rows, paired, strict=True)]
    better = "right" if conclusion.mode == "max" else "left"
    metric = f"{conclusion.metric.split}/{conclusion.metric.name}"
    title = f"Difference to {baseline.name} in {metric}, paired; better is to the {better}"
    return section(
        "differences",
        "Differences",
        figure(
            title,
            [*drawn, _axis_row(axis)],
            f"{title}. {'; '.join(said)}.",
            _key(conclusion, paired, with_dots),
            class_="forest",
        ),
        paired_lines(content),
    )


def _axis(rows: Sequence[VariantSummary], paired: Sequence[Sequence[Pair]], margin: float | None) -> Axis:
    ends = [end for row in rows if row.difference for end in _ends(row.difference)]
    also = [0.0] if margin is None else [-margin, 0.0, margin]
    return around([*ends, *(pair.difference for each in paired for pair in each)], also=also)


def _ends(difference: Difference) -> tuple[float, ...]:
    interval = difference.interval
    return (difference.mean, interval.low, interval.high) if interval else (difference.mean,)


def _row(
    row: VariantSummary, paired: Sequence[Pair], axis: Axis, decimals: int, margin: float | None = None
) -> Element:
    difference = row.difference
    assert difference is not None
    marks = []
    if margin is not None:
        left, width = axis.at(-margin), axis.at(margin) - axis.at(-margin)
        marks.append(element("rect", class_="margin", x=percent(left), width=percent(width), y="0", height="100%"))
    marks += [element("line", class_="zero", x1=percent(axis.at(0)), x2=percent(axis.at(0)), y1="0", y2="100%")]
    if difference.interval is not None:
        low, high = (percent(axis.at(end)) for end in (difference.interval.low, difference.interval.high))
        marks.append(element("line", class_="interval", x1=low, x2=high, y1="40%", y2="40%"))
    marks += [
        element("circle", element("title", f"{pair.label}: {_signed(pair.difference, decimals)}"), class_="seed",
                cx=percent(axis.at(pair.difference)), cy="74%", r="2.6")
        for pair in paired
    ]  # fmt: skip
    marks.append(element("circle", class_="mean", cx=percent(axis.at(difference.mean)), cy="40%", r="4.5"))
    number = _signed(difference.mean, decimals)
    interval = minus(bracketed(difference.interval, decimals, sign=True)) if difference.interval else ""
    return element(
        "div",
        element("span", variant_name(row.name), class_="name"),
        element("span", element("b", number), f" {interval}", class_="number"),
        element("svg", marks),
        class_=f"row {difference.verdict}",
    )


def _axis_row(axis: Axis) -> Element:
    ticks = axis.ticks()
    marks = [element("line", class_="zero", x1=percent(axis.at(0)), x2=percent(axis.at(0)), y1="0", y2="6")]
    for tick, text in zip(ticks, tick_texts(ticks, sign=True), strict=True):
        place = percent(axis.at(tick))
        marks.append(element("line", class_="tick", x1=place, x2=place, y1="0", y2="4"))
        marks.append(element("text", text, x=place, y="18", text_anchor=anchor(axis.at(tick))))
    return element(
        "div",
        element("span", class_="name"),
        element("span", class_="number"),
        element("svg", marks),
        class_="row axis",
    )


def _signed(value: float, decimals: int) -> str:
    return minus(fixed(value, decimals, sign=True))


def _said(row: VariantSummary, paired: Sequence[Pair], decimals: int) -> str:
    difference = row.difference
    assert difference is not None
    interval = f" {minus(bracketed(difference.interval, decimals, sign=True))}" if difference.interval else ""
    seeds = ", ".join(f"{pair.label} {_signed(pair.difference, decimals)}" for pair in paired)
    return f"{row.name}: {_signed(difference.mean, decimals)}{interval}, {difference.verdict} ({seeds})"


def _key(conclusion: Conclusion, paired: Sequence[Sequence[Pair]], with_dots: bool) -> str:
    """How to read the marks."""
    rows = len(compared(conclusion))
    what = "fold" if any(pair.label.startswith("fold") for each in paired for pair in each) else "seed"
    parts = [
        "Large dot and bar: mean and 95% interval of the paired differences, filled where the interval excludes zero."
    ]
    parts.append(
        f"Small dots: one {what} each." if with_dots else f"With so many {what}s, each by itself is not drawn."
    )
    parts.append("Vertical line: no difference.")
    if conclusion.margin is not None:
        parts.append(f"Band: differences of less than {conclusion.margin:g}, which do not matter.")
    if len(paired) < rows:
        parts.append(f"{len(paired)} of {rows} variants are drawn, those with the largest differences.")
    return " ".join(parts)
