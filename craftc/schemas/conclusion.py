"""The conclusion of a run: the headline metric of each variant with its intervals, and the findings in words.

This value is what `craftc report --format json` prints; `format_version` changes with its shape.
"""

from typing import Any, Literal

from pydantic import Field

from craftc.schemas.analysis_plan import Claim, Correction, Relation
from craftc.schemas.frozen import Frozen, List

Verdict = Literal["better", "worse", "undecided", "untested", "survivors"]
"""`undecided`: the interval of the difference holds zero. `untested`: one pair of seeds, or the same difference in
each, so there is no interval. `survivors`: it excludes zero, but seeds failed on the side that would be better."""

Decision = Literal["better", "worse", "equal", "undecided"]
"""What the run shows of a variant against the baseline, with `report.correction` and `report.margin`. `better` and
`worse`: the two differ. `equal`: they differ by less than the margin, be it told from zero or not. `undecided`: neither
is shown, which is no evidence for equality."""

Outcome = Literal["confirmed", "refuted", "undecided"]

FindingKind = Literal[
    "unfinished",
    "trivial",
    "difference",
    "no-difference",
    "equal",
    "features",
    "seeds-needed",
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


class Equivalence(Frozen):
    """Two one-sided paired t-tests of the difference being at least as large as the margin. `p_value` is the larger of
    the two; `interval` has 90%, and lies within the margin where that is below 5%."""

    interval: Interval
    p_value: float
    p_value_adjusted: float | None = None


class SeedsNeeded(Frozen):
    """How many paired seeds find a difference of `effect`, in the headline's unit, with 80% power; None for more than
    100. `effect` is the margin, or else the difference that was seen. `alpha` is the level of the test, for all
    comparisons of the run; the spread is that of the seeds that there are."""

    num_seeds: int | None
    effect: float
    alpha: float


class Look(Frozen):
    """What a run that adds seeds until variants are decided saw of a difference with the first `num_seeds` of them.
    `standard_error` is None where all pairs gave the same."""

    num_seeds: int
    num_pairs: int
    mean: float
    standard_error: float | None


class Difference(Frozen):
    """The variant minus the baseline, seed by seed, over the `seeds` that both have; with `folds`, fold by fold, of
    which each is the mean over its seeds.

    `p_value` is that of the two-sided paired t-test, in [0, 1]. Both it and `interval` are None for one pair, and where
    every seed gave the same difference, up to rounding. `p_value_holm` is adjusted for all the comparisons of the run
    by Holm's method, `p_value_adjusted` by that of `report.correction`. `verdict` is what the interval says by itself,
    `decision` what the run says with correction and margin; None outside of a comparison with the baseline. Where it is
    undecided, `seeds_needed` may say how many would decide. Where seeds are added until it is decided, `looks` are
    those taken, and interval and p-values hold whatever the looks decided. `standard_error` is that of `mean`, which
    has one degree of freedom less than there are pairs.
    """

    mean: float
    interval: Interval | None
    seeds: List[int]
    folds: List[int] = ()
    p_value: float | None
    p_value_holm: float | None
    verdict: Verdict
    standard_error: float | None = None
    looks: List[Look] = ()
    p_value_adjusted: float | None = None
    equivalence: Equivalence | None = None
    decision: Decision | None = None
    seeds_needed: SeedsNeeded | None = None

    @property
    def num_pairs(self) -> int:
        """The differences that it is the mean of."""
        return len(self.folds) or len(self.seeds)


class SeedValue(Frozen):
    """One trial of a variant. A withheld one was not trained, as its variant was decided without it. `value` and `gap`
    are the headline and its train/valid gap at the best epoch, `at_last` the headline with the last epoch's weights;
    each None where it was not measured."""

    seed: int
    fold: int | None = None
    trial: str
    status: Literal["finished", "failed", "unfinished", "withheld"]
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
    `same_as` names the variant, the baseline or an earlier one, that consists of the same trials. `feature` is the one
    feature of the ablation that is off in it: where the variant is worse, the feature helps.
    """

    name: str
    feature: str | None = None
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


class HypothesisOutcome(Frozen):
    """What became of a hypothesis of the spec. `name` is that of a feature or a variant, as written; `variant` the row
    that is compared with the baseline.

    `interval` is the one that decides, of the difference of that row: for claims that the difference is below a bound
    it has `confidence` 1 - 2 alpha, and otherwise 1 - alpha, where alpha is the level that the correction leaves this
    hypothesis, and 5% without any. `p_confirmed` and `p_refuted` are adjusted for all hypotheses. All are None where
    nothing could be tested; `reason` says what decided, or why nothing did. `num_known` of its `num_trials` trials had
    finished before the run began: of those nothing was foretold.
    """

    name: str
    variant: str
    is_feature: bool
    claim: Claim
    relation: Relation | None = None
    size: float | None = None
    text: str
    outcome: Outcome
    reason: str
    difference: float | None = None
    interval: Interval | None = None
    confidence: float | None = None
    p_confirmed: float | None = None
    p_refuted: float | None = None
    num_known: int = Field(0, ge=0)
    num_trials: int = Field(0, ge=0)


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

    `methods` says in a paragraph how the run came to its numbers. `classes` are in the order of their numbers, where
    all results have the same. `gap_splits` are the two splits whose difference is the gap, first minus second.
    `num_comparisons` counts the tests that p-values are adjusted for. `record_name` is what is numbered by all that is
    called an epoch here: what a program reports is a record. `margin`, `correction` and `hypotheses` are those of the
    spec's report. `looks` are the numbers of seeds at which a run looked whether to add more. `epochs` are those of the
    plan's finished trials; `searches` are in the order of the variants. `gradients` are those of the trials of the plan
    whose norms are recorded.
    """

    format_version: Literal["1.0"] = "1.0"
    name: str
    baseline: str
    metric: MetricIdentity
    mode: Literal["min", "max"]
    confidence: float = 0.95
    gap_splits: tuple[str, str] | None = Field(default=None, strict=False)
    num_comparisons: int = Field(default=0, ge=0)
    correction: Correction = "holm"
    margin: float | None = None
    looks: List[int] = ()
    hypotheses: List[HypothesisOutcome] = ()
    variants: List[VariantSummary]
    trivial: TrivialPredictor | None = None
    failures: List[Failure] = ()
    record_name: Literal["epoch", "record"] = "epoch"
    epochs: EpochCount | None = None
    searches: List[SearchConclusion] = ()
    findings: List[Finding] = ()
    methods: str = ""
    classes: List[str] = ()
    artefacts: List[ShownArtefact] = ()
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
