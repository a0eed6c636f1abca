"""The conclusion of a run: the headline metric of each variant with its intervals, and the findings in words.

This value is what `craftc report --format json` prints; `format_version` changes with its shape.
"""

from typing import Any, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List

Decision = Literal["better", "worse", "equal", "undecided"]
"""What is shown of a variant and the baseline, all comparisons considered, where the report has a margin. `better`,
`worse`: a difference; `equal`: that it is smaller than the margin; `undecided`: neither."""

Outcome = Literal["confirmed", "refuted", "undecided"]

Verdict = Literal["better", "worse", "undecided", "untested", "survivors"]
"""`undecided`: the interval of the difference holds zero. `untested`: one pair of seeds, or the same difference in
each, so there is no interval. `survivors`: it excludes zero, but seeds failed on the side that would be better."""

FindingKind = Literal[
    "unfinished",
    "trivial",
    "difference",
    "no-difference",
    "equal",
    "seeds",
    "comparisons",
    "still-improving",
    "few-seeds",
    "not-comparable",
    "no-spread",
    "survivors",
    "selection",
    "not-finite",
    "search",
    "epochs-saved",
    "budget",
    "gradients",
]


class MetricIdentity(Frozen):
    """A metric and all that defines it. `averaging` is None where no trial has said it yet."""

    split: str
    name: str
    averaging: str | None


class Interval(Frozen):
    """A 95% confidence interval, both ends included."""

    low: float
    high: float


class Estimate(Frozen):
    """A mean over seeds; `interval` is None for a single seed, and where all gave the same value. `form`: Student's t,
    or the same of the logit, for a share of which it would reach beyond 0 or 1."""

    mean: float
    interval: Interval | None
    num_seeds: int = Field(ge=1)
    form: Literal["student-t", "logit"] = "student-t"


class Difference(Frozen):
    """The variant minus the baseline, seed by seed, over the `seeds` that both have; with `folds`, fold by fold, of
    which each is the mean over its seeds.

    `p_value` is that of the two-sided paired t-test, in [0, 1]. Both it and `interval` are None for one pair, and where
    every seed gave the same difference, up to rounding. `p_value_holm` is adjusted for all the comparisons of the run.
    `standard_error` is that of the mean. With a margin, `p_value_equal` is that of two one-sided tests of whether the
    difference is smaller, and `decision` what both tests come to.
    """

    mean: float
    interval: Interval | None
    seeds: List[int]
    folds: List[int] = ()
    p_value: float | None
    p_value_holm: float | None
    verdict: Verdict
    standard_error: float | None = None
    p_value_equal: float | None = None
    p_value_equal_holm: float | None = None
    decision: Decision | None = None

    @property
    def num_pairs(self) -> int:
        """The differences that it is the mean of."""
        return len(self.folds) or len(self.seeds)


class SeedValue(Frozen):
    """One trial of a variant. `value` and `gap` are the headline and its train/valid gap at the best epoch, `at_last`
    the headline with the last epoch's weights; each None where it was not measured."""

    seed: int
    fold: int | None = None
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
    measured on the baseline's, so that the difference is one of data too. `is_share`: the headline is between 0 and 1.
    `same_as` names the variant, the baseline or an earlier one, that consists of the same trials.
    """

    name: str
    is_baseline: bool
    is_share: bool = False
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

    @property
    def num_failed(self) -> int:
        """Seeds that failed."""
        return sum(seed.status == "failed" for seed in self.seeds)

    @property
    def is_whole(self) -> bool:
        """Whether every seed has a value. A row of which one failed, or did not finish, is never the best."""
        return self.value is not None and self.value.num_seeds == self.num_planned


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
    """Epochs that were trained, of those that were planned."""

    trained: int = Field(ge=0)
    planned: int = Field(ge=0)


class PointSummary(Frozen):
    """A point of a search: its searched values, None where the spec as written has none; the metric that was
    optimized, and the headline, which took no part in the choice unless it is of the same samples; `trivial` is the
    headline of the trivial predictor, None where there is none."""

    number: int = Field(ge=0)
    params: dict[str, Any]
    value: float
    headline: Estimate | None = None
    trivial: float | None = None
    trials: List[str]


class PointFailure(Frozen):
    """A point without a value: it failed, or was refused before training (`infeasible`)."""

    number: int = Field(ge=0)
    state: Literal["failed", "infeasible"]
    params: dict[str, Any]
    reason: str


class SearchConclusion(Frozen):
    """One variant's search. `best` is the starting point itself where nothing better was found.

    `difference` is the headline of the best point minus that of the starting point, `tuned_difference` minus that of
    the baseline's best point, both seed by seed. The counts are of proposed points; `num_repeated` of the
    finished ones have the trials of an earlier one. `epochs` are those of all different points, and of the starting
    point; pruning and early stopping saved `epochs_saved`, and failures lost others. `importances` are shares that sum
    to 1 (fANOVA), None where too few points finished.
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
    num_repeated: int = Field(0, ge=0)
    epochs: EpochCount
    epochs_saved: int = Field(0, ge=0)
    failures: List[PointFailure] = ()
    importances: dict[str, float] | None = None

    @property
    def num_points(self) -> int:
        """Points that were proposed and could be trained."""
        return self.num_finished + self.num_pruned + self.num_failed + self.num_unfinished

    @property
    def is_improved(self) -> bool:
        """Whether a proposed point is better than the starting point."""
        return self.best is not None and (self.start is None or self.best.number != self.start.number)


class ShownArtefact(Frozen):
    """What was made from a trial to be looked at: of its best weights where it `is_best`, or else of those of `epoch`,
    made while it trained. `path` is its JSON, `files` are a picture and a text, as there are."""

    name: str
    kind: str
    variant: str
    replicate: str
    trial: str
    epoch: int = Field(ge=0)
    of: str
    is_best: bool
    path: str
    files: List[str] = ()


class HypothesisOutcome(Frozen):
    """What became of a hypothesis. `interval` is that of the paired difference, at the `level` at which all hypotheses
    of the run hold together; None where there is none, and `text` says why."""

    name: str
    claim: str
    outcome: Outcome
    interval: Interval | None = None
    level: float | None = None
    text: str


class LayerGradients(Frozen):
    """The L2 norms of a layer's gradient before clipping, in the records of those numbers: the mean over the steps of
    each, and the largest."""

    layer: str
    epochs: List[int]
    mean: List[float]
    largest: List[float]


class TrialGradients(Frozen):
    """The norms of a trial's gradients by layer, finished or not, and the bounds that its spec has for them."""

    trial: str
    variant: str
    seed: int
    fold: int | None = None
    below: float
    above: float
    layers: List[LayerGradients]


class Conclusion(Frozen):
    """A run's results, compared. `variants` are in the order of the plan.

    `classes` are in the order of their numbers, where all results have the same. `gap_splits` are the
    two splits whose difference is the gap, first minus second. `num_comparisons` counts the
    tests that `p_value_holm` is adjusted for. `record_name` is what is numbered by all that is called an epoch here:
    what a program reports is a record. `epochs` are those of the plan's finished trials; `searches` are in the
    order of the variants. `margin` is the largest difference that does not matter; None: any does. `gradients` are
    those of the trials of the plan whose norms are recorded.
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
    record_name: Literal["epoch", "record"] = "epoch"
    epochs: EpochCount | None = None
    searches: List[SearchConclusion] = ()
    findings: List[Finding] = ()
    classes: List[str] = ()
    artefacts: List[ShownArtefact] = ()
    margin: float | None = None
    hypotheses: List[HypothesisOutcome] = ()
    gradients: List[TrialGradients] = ()


class Cost(Frozen):
    """What a variant took, means over its finished seeds. `parameters` are trained numbers; `hours` are of training, of
    trials trained as one batch each one's share, as is `ms_per_step`. `tokens_per_second` are those of train, where
    they are counted. None where nothing was trained for it, or where a program does not say."""

    parameters: float | None
    steps: float | None
    hours: float | None
    ms_per_step: float | None
    tokens_per_second: float | None = None


class VariantMetrics(Frozen):
    """Every metric `<split>/<metric>` of a variant, at the best epoch, and what it cost."""

    name: str
    num_planned: int = Field(ge=1)
    num_finished: int = Field(ge=0)
    metrics: dict[str, Estimate]
    cost: Cost


class MetricTable(Frozen):
    """All metrics of all variants, for looking: nothing is compared. `metrics` are in order."""

    format_version: Literal["1.0"] = "1.0"
    name: str
    metrics: List[str]
    variants: List[VariantMetrics]
