"""A spec to the metric that its conclusion is drawn from."""

from craftc.compiler.recorded_metrics import HELD_OUT, mode_of
from craftc.schemas.catalogue import Catalogue, short_name
from craftc.schemas.plan import Headline
from craftc.schemas.spec import Spec


def headline(spec: Spec, catalogue: Catalogue) -> Headline:
    """The metric of the conclusion: the one that the report names, or the first metric on the last split."""
    splits = list(spec.data.splits.fractions)
    split = next((name for name in (HELD_OUT, "valid") if name in splits), splits[-1])
    metric = short_name(spec.objective.metrics[0].kind) if spec.objective.metrics else "loss"
    if spec.report.metric is not None:
        split, _, metric = spec.report.metric.partition("/")
    return Headline(split=split, metric=metric, mode=mode_of(f"{split}/{metric}", spec, catalogue))
