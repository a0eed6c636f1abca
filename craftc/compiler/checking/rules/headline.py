"""The rule between the spec as written and its variants: the metric that they are compared by is recorded of each."""

from collections.abc import Iterator, Sequence, Set
from functools import partial

from craftc.compiler.checking.rules.rule import AnyRule, Checked, CheckedExperiment
from craftc.compiler.language.recorded_metrics import headline_name, metric_modes, recorded
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import Touching
from craftc.schemas.diagnostic import Path
from craftc.schemas.split_roles import FIT

METRICS: Path = ("objective", "metrics")
SPLITS: Path = ("data", "splits")


def headline_rules(base: CheckedExperiment, tainted: Set[Path]) -> tuple[AnyRule, ...]:
    """What every variant that craftc trains has to keep where no `report.metric` says what all are compared by.

    One that is written is a variant's own as well, and asked for by `unknown_metric`. `tainted` is what of the base is
    mistaken: its headline may not be the one that is meant.
    """
    if not isinstance(base, Checked):
        return ()
    bad = Touching(tainted)
    if base.spec.report.metric is not None or METRICS in bad or SPLITS in bad:
        return ()
    names = recorded(base.spec, base.catalogue, held_out=True)
    modes = metric_modes(base.spec, base.catalogue)
    # Nothing can be concluded from a metric without a direction, or from what a step minimises.
    known = [name for name in names if modes.get(name.partition("/")[2]) is not None]
    return (partial(headline_recorded, headline_name(base.spec), known),)


def headline_recorded(headline: str, known: Sequence[str], checked: Checked) -> Iterator[Problem]:
    """A variant records the metric by which it is compared. `known` are those that the spec as written records."""
    names = recorded(checked.spec, checked.catalogue, held_out=True)
    if headline in names:
        return
    split, _, metric = headline.partition("/")
    lost_split = split not in checked.spec.data.splits.names
    mend = f"give it the split {split}" if lost_split else f"name {metric} in its metrics"
    # As near to what was meant as can be: on the same split, or one that was not trained on; not the loss.
    far = {split: 0, FIT: 2}
    both = [(far.get(name.partition("/")[0], 1), name.endswith("/loss"), name) for name in known if name in names]
    if both:
        mend += f", or write report.metric: {min(both)[2]}, which both record"
    message = f'nothing records "{headline}", by which the variants are compared'
    yield Problem("unknown-metric", SPLITS if lost_split else METRICS, message, mend)
