"""What a run shows: per variant the headline metric with its intervals, and the findings in words.

This value is what `craftc report --format json` prints; `format_version` changes with its shape.
"""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen
from craftc.schemas.spec import List

Verdict = Literal["better", "worse", "undecided", "untested"]
"""`undecided`: the interval of the difference holds zero. `untested`: one pair of seeds, so there is no interval."""

FindingKind = Literal[
    "unfinished",
    "trivial",
    "difference",
    "no-difference",
    "comparisons",
    "still-improving",
    "few-seeds",
    "not-comparable",
]


class MetricIdentity(Frozen):
    """A metric and all that defines it. `averaging` is None where no trial has said it yet."""

    split: str
    name: str
    averaging: str | None


class Interval(Frozen):
    """A 95% Student-t confidence interval, both ends included; of zero width where all seeds gave the same value."""

    low: float
    high: float


class Estimate(Frozen):
    """A mean over seeds; `interval` is None for a single seed."""

    mean: float
    interval: Interval | None
    num_seeds: int = Field(ge=1)


class Difference(Frozen):
    """The variant minus the baseline, seed by seed, over the `seeds` that both have.

    `p_value` is that of the two-sided paired t-test, in [0, 1]; None for one pair, and where every seed gave the same
    difference other than zero. `p_value_holm` is adjusted for all the comparisons of the run.
    """

    mean: float
    interval: Interval | None
    seeds: List[int]
    p_value: float | None
    p_value_holm: float | None
    verdict: Verdict


class SeedValue(Frozen):
    """One trial of a variant. `value` and `gap` are the headline and its train/valid gap at the best epoch, `at_last`
    the headline with the last epoch's weights; each None where it was not measured."""

    seed: int
    trial: str
    status: Literal["finished", "failed", "unfinished"]
    averaging: str | None = None
    value: float | None = None
    at_last: float | None = None
    gap: float | None = None
    best_epoch: int | None = None
    last_epoch: int | None = None


class VariantSummary(Frozen):
    """One row of the table. Epochs, `at_last` and `gap` are means over the finished seeds.

    `value` is None where nothing was measured, or where the seeds measured different things. `difference` is None for
    the baseline and for what cannot be compared with it; `notes` say why. `same_as` names the variant, the
    baseline or an earlier one, that consists of the same trials.
    """

    name: str
    is_baseline: bool
    same_as: str | None = None
    metric: MetricIdentity
    num_planned: int = Field(ge=1)
    num_finished: int = Field(ge=0)
    seeds: List[SeedValue]
    value: Estimate | None = None
    at_last: float | None = None
    gap: float | None = None
    best_epoch: float | None = None
    last_epoch: float | None = None
    comparable: bool = True
    difference: Difference | None = None
    notes: List[str] = ()


class TrivialPredictor(Frozen):
    """The headline of always predicting the class frequencies of the train split."""

    value: float
    metric: MetricIdentity


class Failure(Frozen):
    """A trial that ended without a result, under every variant's name that it serves."""

    trial: str
    variants: List[str]
    seed: int
    code: str
    message: str
    epoch: int | None


class Finding(Frozen):
    """One sentence, and the variants that it is about."""

    kind: FindingKind
    text: str
    variants: List[str] = ()


class Conclusion(Frozen):
    """A run's results, compared. `variants` are in the order of the plan.

    `gap_splits` are the two splits whose difference is the gap, first minus second. `num_comparisons` counts the
    tests that `p_value_holm` is adjusted for.
    """

    format_version: Literal["1.0"] = "1.0"
    name: str
    baseline: str
    metric: MetricIdentity
    mode: Literal["min", "max"]
    confidence: float = 0.95
    gap_splits: tuple[str, str] | None = Field(default=None, strict=False)
    num_comparisons: int = Field(default=0, ge=0)
    variants: List[VariantSummary]
    trivial: TrivialPredictor | None = None
    failures: List[Failure] = ()
    findings: List[Finding] = ()
