"""Writes a table of all metrics as cells: a row for each variant, a table for each split and one of costs."""

from craftc.report.numbers import bracketed, decimals_for, fixed
from craftc.report.search_cells import Cells
from craftc.schemas.conclusion import Cost, Estimate, MetricTable

NOTHING = "-"


def metric_cells(table: MetricTable) -> list[Cells]:
    """A table of each split's metrics, the splits in the order in which they were measured, then what it cost."""
    splits = list(dict.fromkeys(metric.partition("/")[0] for metric in table.metrics))
    found = [_of_split(split, table) for split in splits]
    header = ("variant", "seeds", "parameters", "steps", "ms a step", "tokens a s", "hours a seed")
    rows = [(row.name, f"{row.num_finished}/{row.num_planned}", *_costs(row.cost)) for row in table.variants]
    return [*found, Cells("cost", header, tuple(rows))]


def _of_split(split: str, table: MetricTable) -> Cells:
    names = [metric for metric in table.metrics if metric.partition("/")[0] == split]
    columns = [_column([row.metrics.get(name) for row in table.variants]) for name in names]
    rows = [(row.name, *cells) for row, *cells in zip(table.variants, *columns, strict=True)]
    return Cells(split, ("variant", *(name.partition("/")[2] for name in names)), tuple(rows))


def _column(estimates: list[Estimate | None]) -> list[str]:
    known = [each for each in estimates if each is not None]
    decimals = decimals_for([], known, [])
    return [NOTHING if each is None else _cell(each, decimals) for each in estimates]


def _cell(estimate: Estimate, decimals: int) -> str:
    """`0.943 ±0.012`, or both ends where they are not alike."""
    mean, interval = fixed(estimate.mean, decimals), estimate.interval
    if interval is None:
        return mean
    if estimate.form == "logit":
        return f"{mean} {bracketed(interval, decimals)}"
    return f"{mean} ±{fixed((interval.high - interval.low) / 2, decimals)}"


def _costs(cost: Cost) -> tuple[str, ...]:
    whole = [NOTHING if each is None else f"{each:,.0f}" for each in (cost.parameters, cost.steps)]
    ms = NOTHING if cost.ms_per_step is None else f"{cost.ms_per_step:.3g}"
    rate = NOTHING if cost.tokens_per_second is None else f"{cost.tokens_per_second:,.0f}"
    return (*whole, ms, rate, NOTHING if cost.hours is None else f"{cost.hours:.3g}")
