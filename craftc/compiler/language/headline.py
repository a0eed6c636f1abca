"""Finds the metric that the conclusion of a spec is drawn from."""

from craftc.compiler.language.program_metrics import program_headline, reported_mode
from craftc.compiler.language.recorded_metrics import Mode, headline_name, mode_of
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.plan import Headline
from craftc.schemas.program_spec import ProgramSpec
from craftc.schemas.spec import Experiment, Spec


def headline(spec: Experiment, catalogue: Catalogue) -> Headline:
    """The metric of the conclusion, and which way it is better. A program's spec names one, or none is known."""
    name, mode = _named(spec, catalogue)
    split, _, metric = name.partition("/")
    return Headline(split=split, metric=metric, mode=mode)


def _named(spec: Experiment, catalogue: Catalogue) -> tuple[str, Mode]:
    if isinstance(spec, ProgramSpec):
        found = program_headline(spec)
        assert found is not None, "a program without a headline was let through"
        return found.metric, settled_mode(found.metric, found.mode, spec, catalogue)
    assert isinstance(spec, Spec)
    name = headline_name(spec)
    return name, settled_mode(name, spec.report.mode, spec, catalogue)


def settled_mode(name: str, mode: str, spec: Experiment, catalogue: Catalogue) -> Mode:
    """The better direction of a metric that a valid spec names: as it is given, or the metric's own."""
    if mode in ("min", "max"):
        return "min" if mode == "min" else "max"
    own = mode_of(name, spec, catalogue) if isinstance(spec, Spec) else reported_mode(name, catalogue)
    assert own is not None, "a metric without a direction was let through"
    return own
