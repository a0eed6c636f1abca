"""Lists the metrics that a spec's trials record, when, and which direction of each is better."""

from typing import Literal

from craftc.schemas.catalogue import Catalogue, short_name
from craftc.schemas.spec import Select, Spec

Mode = Literal["min", "max"]
HELD_OUT = "test"
"""The split that is evaluated once, at the end, so that nothing can be chosen by it."""
_BY_LOSS = Select(metric="valid/loss", mode="infer")


def metric_modes(spec: Spec, catalogue: Catalogue) -> dict[str, Mode | None]:
    """Metric name, without its split, to its better direction; None of a user's own that does not say."""
    modes: dict[str, Mode | None] = {"loss": "min"}
    for metric in spec.objective.metrics:
        entry = catalogue.find("metrics", metric.kind)
        # An unknown metric is reported as unknown, and not as a metric without a direction.
        modes.setdefault(short_name(metric.kind), entry.mode if entry else "max")
    return modes


def recorded(spec: Spec, catalogue: Catalogue, *, held_out: bool) -> list[str]:
    """The names `<split>/<metric>` that a trial records; without `held_out`, those of every epoch only."""
    splits = [split for split in spec.data.splits.fractions if held_out or split != HELD_OUT]
    metrics = list(metric_modes(spec, catalogue))
    names = [f"{split}/{metric}" for split in splits for metric in metrics]
    return [*names, "train/objective"]


def mode_of(name: str, spec: Spec, catalogue: Catalogue) -> Mode:
    """The better direction of a recorded metric, which must be known."""
    mode = metric_modes(spec, catalogue).get(name.partition("/")[2], "min")
    assert mode is not None, "a metric without a direction was let through"
    return mode


def selection(spec: Spec) -> Select | None:
    """The metric that picks the best epoch; None for the last epoch."""
    if "select" in spec.evaluation.given:
        return spec.evaluation.select
    return _BY_LOSS if "valid" in spec.data.splits.fractions else None


def headline_name(spec: Spec) -> str:
    """The metric of the conclusion: the one that the report names, or the first metric on the last split."""
    if spec.report.metric is not None:
        return spec.report.metric
    splits = list(spec.data.splits.fractions)
    split = next((name for name in (HELD_OUT, "valid") if name in splits), splits[-1])
    metric = short_name(spec.objective.metrics[0].kind) if spec.objective.metrics else "loss"
    return f"{split}/{metric}"
