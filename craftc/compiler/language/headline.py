"""Finds the metric that the conclusion of a spec is drawn from."""

from craftc.compiler.language.recorded_metrics import headline_name, mode_of
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.plan import Headline
from craftc.schemas.spec import Spec


def headline(spec: Spec, catalogue: Catalogue) -> Headline:
    """The metric of the conclusion, and which way it is better."""
    name = headline_name(spec)
    split, _, metric = name.partition("/")
    return Headline(split=split, metric=metric, mode=mode_of(name, spec, catalogue))
