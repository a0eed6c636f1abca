"""Draws the conclusion from another metric than the headline, of the same trials."""

from collections.abc import Mapping

from craftc.compiler.reading.problem import did_you_mean, one_of
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.plan import Headline, Plan
from craftc.schemas.result import Result


class UnknownMetricError(Exception):
    """No trial has that metric, or it is not known which way it is better. The message says what there is."""


def measured_metrics(results: Mapping[str, Result]) -> list[str]:
    """Every `<split>/<metric>` of the best weights, splits and metrics in the order in which results have them."""
    return list(dict.fromkeys(name for result in results.values() for name in result.best))


def with_headline(
    plan: Plan, results: Mapping[str, Result], metric: str, catalogue: Catalogue, mode: str | None = None
) -> Plan:
    """A plan whose conclusion is drawn from `metric`. Which epoch is the best stays what the spec says.

    `mode` is "min" or "max"; None: the metric's own direction. Raises UnknownMetricError.
    """
    names = measured_metrics(results)
    if metric not in names:
        near = did_you_mean(metric, names) or (f"there are {one_of(names)}" if names else "no trial has finished yet")
        raise UnknownMetricError(f'no trial of {plan.name} has "{metric}"; {near}')
    split, _, measure = metric.partition("/")
    found = mode or _direction(measure, catalogue)
    if found is None:
        raise UnknownMetricError(f'"{metric}" does not say which way it is better; add --mode min or --mode max')
    headline = Headline(split=split, metric=measure, mode="min" if found == "min" else "max")
    return plan.model_copy(update={"headline": headline})


def _direction(measure: str, catalogue: Catalogue) -> str | None:
    """Of a metric without its split; a pass or an after-stage stands before a dot."""
    name = measure.rpartition(".")[2]
    if name == "loss" or name.endswith("_loss"):
        return "min"
    entry = catalogue.find("metrics", name)
    return None if entry is None else entry.mode
