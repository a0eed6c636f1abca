"""Draws learning curves, a small figure for each variant: the mean over its seeds, with a band of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from xml.etree.ElementTree import Element

from craftc.report.page.axis import Axis, minus, path, percent, robust, tick_texts
from craftc.report.page.chosen_variants import curve_variants, different
from craftc.report.page.content import PageContent
from craftc.report.page.figure import figure, section, variant_name
from craftc.report.page.tree import element
from craftc.schemas.conclusion import VariantSummary
from craftc.schemas.plan import Trial, variant_trials
from craftc.schemas.split_roles import FIT

MOST_POINTS = 40
"""Of one curve."""


@dataclass(frozen=True)
class Curve:
    """One metric of one variant: at each epoch the mean, the lowest and the highest of the seeds that recorded it.
    `num_whole` is how many of the epochs all seeds recorded."""

    epochs: tuple[int, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    num_whole: int


def curves(content: PageContent) -> Element | None:
    """None where there are no records."""
    rows = curve_variants(content.conclusion)
    trials = variant_trials(content.plan)
    figures = [
        made
        for measure in dict.fromkeys(("loss", content.plan.headline.metric))
        if (made := _figure(content, measure, rows, {row.name: trials[row.name] for row in rows})) is not None
    ]
    return section("curves", "Learning curves", figures) if figures else None


def _figure(
    content: PageContent, measure: str, rows: Sequence[VariantSummary], trials: Mapping[str, Sequence[Trial]]
) -> Element | None:
    splits = _splits(content, measure, trials)
    found = {
        (row.name, split): curve
        for row in rows
        for split in splits
        if (curve := _curve(content, trials[row.name], f"{split}/{measure}")) is not None
    }
    if not found:
        return None
    last = max(curve.epochs[-1] for curve in found.values())
    across = Axis(min(curve.epochs[0] for curve in found.values()), max(last, 2))
    up, is_cut = robust([value for curve in found.values() for value in (*curve.lows, *curve.highs)])
    ghost_split = splits[-1]
    ghost = found.get((content.plan.baseline, ghost_split))
    panels = []
    for row in rows:
        own = {split: found[row.name, split] for split in splits if (row.name, split) in found}
        if own:
            shown_ghost = ghost if row.name != content.plan.baseline else None
            marks = _Marks(_selected(content, trials[row.name]), _stopped(content, trials[row.name]))
            panels.append(_panel(row.name, own, splits, shown_ghost, marks, across, up))
    names = " and ".join(f"{split}/{measure}" for split in splits)
    title = f"{names} by {content.conclusion.record_name}"
    said = "; ".join(_said(name, f"{split}/{measure}", curve) for (name, split), curve in found.items())
    return figure(
        title,
        panels,
        f"{title}. {said}.",
        *_notes(content, splits, found, ghost_split, is_cut),
        class_=f"panels {columns_for(len(panels))}".strip(),
    )


def columns_for(num_panels: int) -> str:
    """Three wide columns rather than four where that leaves fewer places empty."""
    return "wide" if num_panels in (1, 2, 3, 5, 6, 9) else ""


def _splits(content: PageContent, measure: str, trials: Mapping[str, Sequence[Trial]]) -> list[str]:
    """Those that the measure was recorded on, the one that is fitted on first; at most two."""
    names: dict[str, None] = {}
    for of_variant in trials.values():
        for trial in of_variant:
            for record in content.histories.get(trial.id, ())[:1]:
                names |= dict.fromkeys(record.metrics)
    splits = [name.partition("/")[0] for name in names if name.partition("/")[2] == measure]
    return sorted(splits, key=lambda split: split != FIT)[:2]


def _curve(content: PageContent, trials: Sequence[Trial], metric: str) -> Curve | None:
    by_seed = [
        {record.epoch: record.metrics[metric] for record in records if metric in record.metrics}
        for records in (content.histories.get(trial.id, ()) for trial in trials)
    ]
    return mean_curve([each for each in by_seed if each])


def mean_curve(by_seed: Sequence[Mapping[int, float]]) -> Curve | None:
    """The curve of seeds, each given as epoch to value; None of none."""
    epochs = sorted({epoch for each in by_seed for epoch in each})
    if not epochs:
        return None
    kept = thinned(epochs, also={min(max(each) for each in by_seed)})
    values = [[each[epoch] for each in by_seed if epoch in each] for epoch in kept]
    return Curve(
        epochs=tuple(kept),
        means=tuple(map(fmean, values)),
        lows=tuple(map(min, values)),
        highs=tuple(map(max, values)),
        num_whole=sum(len(each) == len(by_seed) for each in values),
    )


def thinned(epochs: Sequence[int], also: set[int] | None = None) -> list[int]:
    """At most about MOST_POINTS of them, evenly, the first and the last among them."""
    step = -(-len(epochs) // MOST_POINTS)
    return sorted({*epochs[::step], epochs[-1], *(also or set()) & set(epochs)})


@dataclass(frozen=True)
class _Marks:
    """Epochs on the axis: those that were selected, and those behind which training was stopped early."""

    selected: tuple[int, ...]
    stopped: tuple[int, ...]


def _selected(content: PageContent, trials: Sequence[Trial]) -> tuple[int, ...]:
    """Nothing where the last epoch is taken by decree."""
    by_choice = [t for t in trials if t.config.get("evaluation", {}).get("select") not in (None, "none")]
    return tuple(sorted(content.results[t.id].best_epoch for t in by_choice if t.id in content.results))


def _stopped(content: PageContent, trials: Sequence[Trial]) -> tuple[int, ...]:
    results = [content.results[trial.id] for trial in trials if trial.id in content.results]
    return tuple(sorted(r.epochs_trained for r in results if r.epochs_planned and r.epochs_trained < r.epochs_planned))


def _panel(
    name: str,
    own: Mapping[str, Curve],
    splits: Sequence[str],
    ghost: Curve | None,
    marks: _Marks,
    across: Axis,
    up: Axis,
) -> Element:
    def line(curve: Curve, first: int, end: int | None, class_: str) -> Element | None:
        points = list(zip(curve.epochs, curve.means, strict=True))[first:end]
        d = path((across.at(epoch), up.at(mean)) for epoch, mean in points)
        return element("path", d=d, class_=class_) if len(points) > 1 else None

    drawn: list[Element | None] = []
    ticks = up.ticks(5)
    drawn += [element("path", d=path([(0, up.at(tick)), (100, up.at(tick))]), class_="grid") for tick in ticks]
    if ghost is not None:
        drawn.append(line(ghost, 0, None, "ghost"))
    for split, curve in own.items():
        kind = f"split{splits.index(split)}"
        if any(high > low for low, high in zip(curve.lows, curve.highs, strict=True)):
            drawn.append(element("path", d=_band(curve, across, up), class_=f"band {kind}"))
        drawn.append(line(curve, 0, curve.num_whole, f"line {kind}"))
        if curve.num_whole < len(curve.epochs):
            drawn.append(line(curve, max(0, curve.num_whole - 1), None, f"line partial {kind}"))
    inner = element("svg", drawn, viewBox="0 0 100 100", preserveAspectRatio="none", y="0", width="100%", height="104")
    scale = [
        element("text", text, x="100%", y=f"{104 - 1.04 * up.at(tick) + 4:.0f}", text_anchor="end")
        for tick, text in zip(ticks, tick_texts(ticks), strict=True)
    ]
    plot = element("div", element("svg", scale), element("svg", inner, _epoch_marks(marks, across)), class_="plot")
    return element("div", element("p", variant_name(name), class_="name"), plot, class_="panel")


def _band(curve: Curve, across: Axis, up: Axis) -> str:
    above = [(across.at(epoch), up.at(high)) for epoch, high in zip(curve.epochs, curve.highs, strict=True)]
    below = [(across.at(epoch), up.at(low)) for epoch, low in zip(curve.epochs, curve.lows, strict=True)]
    return path([*above, *reversed(below)]) + "Z"


def _epoch_marks(marks: _Marks, across: Axis) -> list[Element]:
    """The axis of epochs below the curves, with what was selected and stopped."""
    made = [element("line", x1="0", x2="100%", y1="104", y2="104", class_="tick")]
    for epoch, anchor in ((across.low, "start"), (across.high, "end")):
        made.append(element("text", f"{epoch:.0f}", x=percent(across.at(epoch)), y="119", text_anchor=anchor))
    for epoch in marks.stopped:
        place = percent(across.at(epoch))
        made.append(
            element(
                "line",
                element("title", f"stopped behind epoch {epoch}"),
                x1=place,
                x2=place,
                y1="96",
                y2="110",
                class_="stop",
            )
        )
    for epoch in marks.selected:
        made.append(
            element(
                "circle",
                element("title", f"selected: epoch {epoch}"),
                cx=percent(across.at(epoch)),
                cy="104",
                r="3",
                class_="selected",
            )
        )
    return made


def _said(name: str, metric: str, curve: Curve) -> str:
    first, last = (_number(value) for value in (curve.means[0], curve.means[-1]))
    lowest, highest = (_number(pick(curve.means)) for pick in (min, max))
    ends = f"{first} at {curve.epochs[0]}, {last} at {curve.epochs[-1]}"
    return f"{metric} of {name}: {ends}, between {lowest} and {highest}"


def _number(value: float) -> str:
    return minus(f"{value:.4g}")


def _notes(
    content: PageContent, splits: Sequence[str], found: Mapping[tuple[str, str], Curve], ghost_split: str, is_cut: bool
) -> list[Element | str]:
    """How to read the lines, and what is not drawn."""
    record = content.conclusion.record_name
    key = [element("span", element("i", class_=f"swatch split{i}"), split) for i, split in enumerate(splits)]
    if len({name for name, _ in found}) > 1:
        key.append(element("span", element("i", class_="swatch ghost"), f"{content.plan.baseline}, {ghost_split}"))
    trials = [trial for each in variant_trials(content.plan).values() for trial in each]
    if _selected(content, trials):
        key.append(element("span", element("i", class_="swatch selected"), f"selected {record}s"))
    if _stopped(content, trials):
        key.append(element("span", element("i", class_="swatch stop"), "stopped early"))
    several = any(curve.highs != curve.lows for curve in found.values())
    parts = ["Lines: means over seeds; bands: from the lowest to the highest seed."] if several else []
    if any(curve.num_whole < len(curve.epochs) for curve in found.values()):
        parts.append("Dashed: the mean of the seeds that still train; others have ended before.")
    longest = max((len(records) for records in content.histories.values()), default=0)
    if longest > MOST_POINTS + 1:
        parts.append(f"Of {longest} {record}s about {MOST_POINTS} are drawn.")
    if is_cut:
        parts.append("Values far beyond the others are cut off.")
    drawn, all_rows = {name for name, _ in found}, different(content.conclusion)
    if len(drawn) < len(all_rows):
        parts.append(
            f"{len(drawn)} of {len(all_rows)} variants are drawn: the baseline, and those that differ most or have no "
            "value."
        )
    return [element("span", key, class_="key"), " ".join(parts)]
