"""Writes the columns of a conclusion's table as text with aligned decimals, for text and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from craftc.report.numbers import fixed, p_value_text
from craftc.report.power import ALPHA
from craftc.schemas.conclusion import Conclusion, Difference, Interval, VariantSummary

IntervalStyle = Literal["brackets", "half-width"]
ColumnKey = Literal["variant", "seeds", "value", "difference", "p", "verdict", "epochs", "at_last", "gap"]
COLUMNS: tuple[ColumnKey, ...] = (
    "variant", "seeds", "value", "difference", "p", "verdict", "epochs", "at_last", "gap"
)  # fmt: skip

TRIVIAL = "trivial predictor"
NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """One column: a cell for each variant, and `trivial` for the row of the trivial predictor."""

    header: str
    cells: tuple[str, ...]
    trivial: str = ""


def columns(conclusion: Conclusion, decimals: int, style: IntervalStyle) -> dict[ColumnKey, Column]:
    """Every column of the table. Cells of one column have one width wherever decimals must align."""
    rows = conclusion.variants
    trivial = conclusion.trivial
    values = [(row.value.mean, row.value.interval) if row.value else None for row in rows]
    value_cells = _with_intervals([*values, (trivial.value, None) if trivial else None], decimals, style)
    differences = _with_intervals(
        [(row.difference.mean, row.difference.interval) if row.difference else None for row in rows],
        decimals,
        style,
        sign=True,
    )
    has_interval = any(row.value and row.value.interval for row in rows)
    interval_header = f"mean{' [95% interval]' if style == 'brackets' else ' ± 95%'}" if has_interval else "mean"
    baseline = conclusion.baseline if len(conclusion.baseline) <= 16 else "baseline"
    gap = " - ".join(conclusion.gap_splits) if conclusion.gap_splits else "gap"
    at_last = [fixed(row.at_last, decimals) if row.at_last is not None else NOTHING for row in rows]
    gaps = [fixed(row.gap, decimals, sign=True) if row.gap is not None else NOTHING for row in rows]
    return {
        "variant": Column("variant", tuple(row.name for row in rows), TRIVIAL),
        "seeds": Column("seeds", tuple(f"{row.num_finished}/{row.num_planned}" for row in rows)),
        "value": Column(interval_header, tuple(value_cells[:-1]), value_cells[-1] if trivial else ""),
        "difference": Column(
            f"difference to {baseline}" if style == "brackets" else f"vs {baseline}",
            tuple(
                _difference(row, cell, is_corrected=is_corrected(conclusion))
                for row, cell in zip(rows, differences, strict=True)
            ),
        ),
        "p": Column(_p_header(conclusion), tuple(_p_value(row.difference) for row in rows)),
        "verdict": Column("verdict", tuple(_verdict(row) for row in rows)),
        "epochs": Column(f"best/last {conclusion.record_name}", _epochs(rows)),
        "at_last": Column(f"at last {conclusion.record_name}", tuple(at_last)),
        "gap": Column(gap, tuple(gaps)),
    }


def shown(conclusion: Conclusion) -> tuple[ColumnKey, ...]:
    """The columns that have anything to show."""
    empty: set[ColumnKey] = set()
    if conclusion.num_comparisons == 0:
        empty.add("p")
    if conclusion.num_comparisons == 0 or conclusion.margin is None:
        empty.add("verdict")  # stars say all that there is to say
    if len(conclusion.variants) == 1:
        empty.add("difference")
    if all(row.gap is None for row in conclusion.variants):
        empty.add("gap")
    return tuple(key for key in COLUMNS if key not in empty)


def best_rows(conclusion: Conclusion) -> set[int]:
    """Which rows have the best mean among those that measure the same metric as the baseline; ties included. One of
    which a seed has no value is not among them: those that survive are the better ones."""
    means = {
        i: row.value.mean
        for i, row in enumerate(conclusion.variants)
        if row.value is not None and row.is_whole and row.metric == conclusion.metric
    }
    if len(means) < 2:
        return set()
    best = (min if conclusion.mode == "min" else max)(means.values())
    return {i for i, mean in means.items() if mean == best}


def is_corrected(conclusion: Conclusion) -> bool:
    """Whether a correction can change a verdict."""
    return conclusion.num_comparisons > 1 and conclusion.correction != "none"


def stars(difference: Difference | None, *, is_corrected: bool) -> str:
    """`*` where the interval excludes zero, `**` where of several differences this one stands the correction too."""
    if difference is None or difference.verdict not in ("better", "worse"):
        return ""
    adjusted = difference.p_value_adjusted
    return "**" if is_corrected and adjusted is not None and adjusted < ALPHA else "*"


def _p_header(conclusion: Conclusion) -> str:
    name = {"holm": "Holm", "bh": "BH", "none": ""}[conclusion.correction]
    return f"p ({name})" if is_corrected(conclusion) else "p"


def _verdict(row: VariantSummary) -> str:
    if row.difference is None or row.difference.decision is None:
        return "" if row.is_baseline else NOTHING
    return row.difference.decision


def _difference(row: VariantSummary, cell: str, *, is_corrected: bool) -> str:
    if row.is_baseline:
        return "baseline"
    if not row.comparable:
        return "not comparable"
    if row.same_as is not None and row.difference is None:
        return f"= {row.same_as}" if len(row.same_as) <= 12 else "same trials"
    if row.difference is None:
        return NOTHING
    mark = stars(row.difference, is_corrected=is_corrected)
    return f"{cell} {mark}" if mark else cell


def _p_value(difference: Difference | None) -> str:
    if difference is None or difference.p_value_adjusted is None:
        return NOTHING if difference else ""
    return p_value_text(difference.p_value_adjusted)


def _with_intervals(
    estimates: Sequence[tuple[float, Interval | None] | None],
    decimals: int,
    style: IntervalStyle,
    *,
    sign: bool = False,
) -> list[str]:
    """`0.912 [0.890, 0.934]` or `0.912 ± 0.022`, padded so that points stand under points."""

    known = [estimate for estimate in estimates if estimate is not None]
    means = [fixed(mean, decimals, sign=sign) for mean, _ in known]
    ends = [
        fixed(end, decimals, sign=sign) for _, interval in known if interval for end in (interval.low, interval.high)
    ]
    mean_width, end_width = (max(map(len, texts), default=0) for texts in ((*means, NOTHING), ends))
    halves = [_half(mean, interval, decimals) for mean, interval in known if interval]
    half_width = max(map(len, halves), default=0)

    def cell(estimate: tuple[float, Interval | None] | None) -> str:
        if estimate is None:
            return f"{NOTHING:>{mean_width}}"
        mean, interval = estimate
        text = f"{fixed(mean, decimals, sign=sign):>{mean_width}}"
        if interval is None:
            return text
        half = "" if style == "brackets" else _half(mean, interval, decimals)
        if half:
            return f"{text} ± {half:>{half_width}}"
        low, high = (fixed(end, decimals, sign=sign) for end in (interval.low, interval.high))
        return f"{text} [{low:>{end_width}}, {high:>{end_width}}]"

    cells = [cell(estimate) for estimate in estimates]
    width = max(map(len, cells), default=0)
    return [text.ljust(width) for text in cells]


def _half(mean: float, interval: Interval, decimals: int) -> str:
    """The half-width of an interval; nothing where it is not the same on both sides, as of a share near 0 or 1."""
    below, above = (fixed(side, decimals) for side in (mean - interval.low, interval.high - mean))
    half = fixed((interval.high - interval.low) / 2, decimals)
    return half if abs(float(below) - float(above)) <= 1.5 * 10.0**-decimals else ""


def _epochs(rows: Sequence[VariantSummary]) -> tuple[str, ...]:
    """`18.7/20`, of one width, so that slashes align."""
    ends = [_whole([row.best_epoch for row in rows]), _whole([row.last_epoch for row in rows])]
    return tuple(f"{best}/{last}" if best.strip() else NOTHING for best, last in zip(*ends, strict=True))


def _whole(means: Sequence[float | None]) -> list[str]:
    """Whole numbers where all are, of one width; blank where there is none."""
    decimals = 0 if all(mean is None or mean == int(mean) for mean in means) else 1
    texts = ["" if mean is None else f"{mean:.{decimals}f}" for mean in means]
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]
