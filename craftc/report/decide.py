"""Decides of each comparison with the baseline, in view of all of them: better, worse, equal or undecided."""

import math
from collections.abc import Mapping, Sequence

from craftc.report.correction import adjust, holm
from craftc.report.power import ALPHA, first_level, seeds_needed
from craftc.report.statistics import within_shares
from craftc.report.t_tests import p_within, t_test_of
from craftc.schemas.analysis_plan import AnalysisPlan
from craftc.schemas.conclusion import Decision, Difference, Equivalence, SeedsNeeded, VariantSummary


def comparisons(rows: Sequence[VariantSummary]) -> list[tuple[VariantSummary, Difference]]:
    """The rows with a difference over more than one seed, with that difference; each set of trials once. One without
    any spread counts, though it cannot be tested: how many hypotheses there are does not depend on how they come out.
    """
    tested = [(row, row.difference) for row in rows if row.difference is not None and row.same_as is None]
    return [(row, difference) for row, difference in tested if difference.num_pairs > 1]


def decide(rows: Sequence[VariantSummary], plan: AnalysisPlan) -> list[VariantSummary]:
    """Adjust the p-values of all the run's comparisons and decide; trials that have several names count once.

    Tests of a difference are one family, tests of equality another: each kind of decision errs as rarely as the
    correction says. Of one comparison at most one of the two can be wrong, as what has no difference is equal.
    """
    baseline = next((row for row in rows if row.is_baseline), None)
    tested = {row.name: _with_equivalence(row, difference, plan) for row, difference in comparisons(rows)}
    num_untested = len(_untested(rows, tested, plan))
    tested = _with_adjusted(tested, num_untested, plan)
    level = first_level(len(tested) + num_untested, plan.correction)
    out = []
    for row in rows:
        difference = tested.get(row.same_as or row.name, row.difference)
        if difference is not None:
            decision = _decision(difference, has_failed=any(side.num_failed for side in (row, baseline) if side))
            difference = difference.model_copy(update={"decision": decision})
            if decision == "undecided":
                needed = _seeds_needed(difference, plan.margin, level)
                difference = difference.model_copy(update={"seeds_needed": needed})
        out.append(row.model_copy(update={"difference": difference, "feature": _feature(row, plan)}))
    return out


def _with_equivalence(row: VariantSummary, difference: Difference, plan: AnalysisPlan) -> Difference:
    test = t_test_of(difference, plan.looks)
    interval = None if test is None else test.interval(2 * ALPHA)
    if plan.margin is None or test is None or interval is None:
        return difference
    equivalence = Equivalence(
        interval=within_shares(interval) if row.is_share else interval,
        p_value=p_within(test, plan.margin),
    )
    return difference.model_copy(update={"equivalence": equivalence})


def _untested(
    rows: Sequence[VariantSummary], tested: Mapping[str, Difference], plan: AnalysisPlan
) -> list[VariantSummary]:
    """Where seeds are added, the variants that cannot be tested yet, since their seeds failed: they count, so that what
    one look decides another does not take back."""
    others = (row for row in rows if not row.is_baseline and row.same_as is None and row.comparable)
    return [row for row in others if row.name not in tested] if plan.looks else []


def _with_adjusted(tested: Mapping[str, Difference], num_untested: int, plan: AnalysisPlan) -> dict[str, Difference]:
    unknown = [None] * num_untested
    of_zero = [*(difference.p_value for difference in tested.values()), *unknown]
    of_margin = [*(d.equivalence.p_value if d.equivalence else None for d in tested.values()), *unknown]
    all_adjusted = holm(of_zero), adjust(of_zero, plan.correction), adjust(of_margin, plan.correction)
    out = {}
    for (name, difference), by_holm, adjusted, within in zip(tested.items(), *all_adjusted, strict=False):
        equivalence = difference.equivalence
        if equivalence is not None:
            equivalence = equivalence.model_copy(update={"p_value_adjusted": within})
        update = {"p_value_holm": by_holm, "p_value_adjusted": adjusted, "equivalence": equivalence}
        out[name] = difference.model_copy(update=update)
    return out


def _decision(difference: Difference, *, has_failed: bool) -> Decision:
    """Nothing is decided by the seeds that survived where others failed: no difference in their favour, no equality."""
    equivalence = difference.equivalence
    if difference.verdict == "survivors" or difference.p_value_adjusted is None:
        return "undecided"
    if equivalence and equivalence.p_value_adjusted is not None and equivalence.p_value_adjusted < ALPHA:
        return "undecided" if has_failed else "equal"
    if difference.p_value_adjusted < ALPHA and difference.verdict in ("better", "worse"):
        return "better" if difference.verdict == "better" else "worse"
    return "undecided"


def _seeds_needed(difference: Difference, margin: float | None, alpha: float) -> SeedsNeeded | None:
    """Of folds there are as many as the data was divided into."""
    if difference.standard_error is None or difference.folds or difference.verdict == "survivors":
        return None
    effect = abs(difference.mean) if margin is None else margin
    spread = difference.standard_error * math.sqrt(difference.num_pairs)
    return SeedsNeeded(num_seeds=seeds_needed(effect / spread, alpha), effect=effect, alpha=alpha)


def _feature(row: VariantSummary, plan: AnalysisPlan) -> str | None:
    return row.name[1:] if row.name[:1] == "-" and row.name[1:] in plan.features else None
