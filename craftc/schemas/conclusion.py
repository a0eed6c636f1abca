"""The conclusion of a run: the headline metric of each variant with its intervals, and the findings in words.

This value is what `craftc report --format json` prints; `format_version` changes with its shape.
"""

from typing import Any, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List

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
    "search",
    "epochs-saved",
    "budget",
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
    the baseline and for what cannot be compared with it; `notes` say why. `other_samples`: it was not
    measured on the baseline's, so that the difference is one of data too. `same_as` names the variant, the baseline or
    an earlier one, that consists of the same trials.
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
    other_samples: bool = False
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


class EpochCount(Frozen):
    """What early stopping and pruning saved: epochs that were trained, of those that were planned."""

    trained: int = Field(ge=0)
    planned: int = Field(ge=0)


class PointSummary(Frozen):
    """A point of a search: its searched values, None where the spec as written has none; the metric that was
    optimized, and the headline, which took no part in the choice unless it is the same."""

    number: int = Field(ge=0)
    params: dict[str, Any]
    value: float
    headline: Estimate | None = None
    trials: List[str]


class SearchConclusion(Frozen):
    """One variant's search. `best` is the starting point itself where nothing better was found.

    `difference` is the headline of the best point minus that of the starting point, `tuned_difference` minus that of
    the baseline's best point, both seed by seed. The counts are of proposed points; `epochs` are all theirs and the
    starting point's. `importances` are shares that sum to 1 (fANOVA), None where too few points finished.
    """

    variant: str
    metric: str
    mode: Literal["min", "max"]
    start: PointSummary | None
    best: PointSummary | None
    difference: Difference | None = None
    tuned_difference: Difference | None = None
    num_finished: int = Field(ge=0)
    num_pruned: int = Field(ge=0)
    num_failed: int = Field(ge=0)
    num_infeasible: int = Field(ge=0)
    num_unfinished: int = Field(ge=0)
    epochs: EpochCount
    importances: dict[str, float] | None = None

    @property
    def num_points(self) -> int:
        """Points that were proposed and could be trained."""
        return self.num_finished + self.num_pruned + self.num_failed + self.num_unfinished

    @property
    def is_improved(self) -> bool:
        """Whether a proposed point is better than the starting point."""
        return self.best is not None and (self.start is None or self.best.number != self.start.number)


class Conclusion(Frozen):
    """A run's results, compared. `variants` are in the order of the plan.

    `classes` are in the order of their numbers, where all results have the same. `gap_splits` are the
    two splits whose difference is the gap, first minus second. `num_comparisons` counts the
    tests that `p_value_holm` is adjusted for. `epochs` are those of the plan's finished trials; `searches` are in the
    order of the variants.
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
    epochs: EpochCount | None = None
    searches: List[SearchConclusion] = ()
    findings: List[Finding] = ()
    classes: List[str] = ()
