"""Lists the metrics that a program's spec names, and which direction of each is better.

What a program reports is known once it runs. A metric that is called as a built-in one has that one's direction.
"""

from collections.abc import Iterator
from typing import NamedTuple

from craftc.compiler.language.recorded_metrics import Mode
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path
from craftc.schemas.program_spec import ProgramSpec

LOSS = "loss"


class NamedMetric(NamedTuple):
    """A metric `<split>/<metric>`, the section that names it, and the direction that it gives: min, max or infer."""

    place: Path
    metric: str
    mode: str


def steering_metrics(spec: ProgramSpec) -> Iterator[NamedMetric]:
    """The metrics by which something is decided while a program runs, or of its records."""
    if (stop := spec.training.early_stopping) is not None:
        yield NamedMetric(("training", "early_stopping"), stop.metric, stop.mode)
    if (select := spec.evaluation.select) is not None:
        yield NamedMetric(("evaluation", "select"), select.metric, select.mode)
    if spec.search is not None:
        yield NamedMetric(("search", "optimize"), spec.search.optimize.metric, spec.search.optimize.mode)


def program_headline(spec: ProgramSpec) -> NamedMetric | None:
    """What the conclusion is drawn from: the report's metric, or that by which records are selected, or what the search
    makes better; None where nothing names one."""
    if spec.report.metric is not None:
        return NamedMetric(("report",), spec.report.metric, spec.report.mode)
    named = {each.place: each for each in steering_metrics(spec)}
    found = named.get(("evaluation", "select")) or named.get(("search", "optimize"))
    if found is None or spec.report.mode == "infer":
        return found
    return found._replace(mode=spec.report.mode)


def named_metrics(spec: ProgramSpec) -> Iterator[NamedMetric]:
    """All that the spec names."""
    yield from steering_metrics(spec)
    if spec.report.metric is not None:
        yield NamedMetric(("report",), spec.report.metric, spec.report.mode)


def reported_mode(name: str, catalogue: Catalogue) -> Mode | None:
    """The better direction of a metric that a program reports; None where no built-in metric is called so."""
    measure = name.partition("/")[2]
    entry = catalogue.find("metrics", measure)
    return "min" if measure == LOSS else entry.mode if entry is not None else None
