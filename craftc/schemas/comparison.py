"""The comparison of two experiments: fields, trials, conclusion.

This value is what `craftc compare --format json` prints; `format_version` changes with its shape. `a` and `b` are the
two sides, in the order in which they were named.
"""

from typing import Any, Literal

from pydantic import Field

from craftc.schemas.conclusion import Decision, Difference, Estimate, Finding, MetricIdentity
from craftc.schemas.frozen import Frozen, List

ChangeKind = Literal["changed", "added", "removed"]
"""`added`: only B has it. `removed`: only A has it."""

VariantStatus = Literal["same", "reseeded", "changed", "renamed", "gone", "new"]
"""`reseeded`: the same but for seeds that one side alone has. `renamed`: the same trials under another name."""


class Side(Frozen):
    """One of the two. `name` is that of the experiment; a spec's `num_finished` counts what the store has."""

    kind: Literal["spec", "run"]
    label: str
    name: str
    num_trials: int = Field(ge=0)
    num_finished: int = Field(ge=0)


class FieldChange(Frozen):
    """A field that differs. `path` is dotted; the value of the side that lacks it is None."""

    path: str
    kind: ChangeKind
    a: Any = None
    b: Any = None


class VariantChange(Frozen):
    """A variant of either side. `name` is B's, of a gone one A's.

    `other_name` is the name in A of a renamed one; of a new or gone one, the first name under which the other side
    has the same trials all the same. `trials_a` and `trials_b` are its trials by seed. A changed variant without
    `fields` differs in what no field shows: the content of its data, the source of its components, craftc's training.
    """

    name: str
    status: VariantStatus
    other_name: str | None = None
    trials_a: dict[int, str] = Field(default_factory=dict)
    trials_b: dict[int, str] = Field(default_factory=dict)
    fields: List[FieldChange] = ()


class TrialChanges(Frozen):
    """`num_only_b_finished` of the trials that only B has are in the store already."""

    num_common: int = Field(ge=0)
    num_only_a: int = Field(ge=0)
    num_only_b: int = Field(ge=0)
    num_only_b_finished: int = Field(ge=0)
    variants: List[VariantChange]


class RowChange(Frozen):
    """A variant that both runs have, by B's name; `name_a` is A's where it is another.

    `difference` is B minus A, seed by seed, over the seeds that the two trained differently; `same_trials` where they
    share all of those that both have. Where the metrics are not the same metric, `comparable` is False and there
    are no numbers. The verdicts are the decisions of each run against its own baseline.
    """

    name: str
    name_a: str | None = None
    comparable: bool
    same_trials: bool = False
    a: Estimate | None = None
    b: Estimate | None = None
    difference: Difference | None = None
    verdict_a: Decision | None = None
    verdict_b: Decision | None = None
    notes: List[str] = ()


class SearchChange(Frozen):
    """What the searches of one variant came to: the best point of each, None where there is none."""

    variant: str
    comparable: bool
    metric_a: str | None
    metric_b: str | None
    best_a: dict[str, Any] | None
    best_b: dict[str, Any] | None
    value_a: float | None
    value_b: float | None


class ConclusionChange(Frozen):
    """What two runs conclude differently. A finding counts as the same where only its numbers differ."""

    metric_a: MetricIdentity
    metric_b: MetricIdentity
    mode: Literal["min", "max"] | None
    comparable: bool
    baseline_a: str
    baseline_b: str
    baseline_is_renamed: bool
    num_comparisons: int = Field(ge=0)
    rows: List[RowChange]
    searches: List[SearchChange] = ()
    only_a: List[Finding] = ()
    only_b: List[Finding] = ()


class Comparison(Frozen):
    """`conclusion` is None where a side is no run. `notes` say what could not be compared."""

    format_version: Literal["1.0"] = "1.0"
    a: Side
    b: Side
    fields: List[FieldChange]
    trials: TrialChanges
    conclusion: ConclusionChange | None = None
    notes: List[str] = ()
