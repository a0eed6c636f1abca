"""Decides of each hypothesis of a spec: confirmed, refuted or undecided, and by which interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from craftc.report.correction import adjust, levels
from craftc.report.findings import phrase
from craftc.report.numbers import bracketed, choose_decimals, fixed
from craftc.report.power import ALPHA
from craftc.report.statistics import within_shares
from craftc.report.t_tests import DifferenceTest, p_within, t_test_of
from craftc.schemas.analysis_plan import AnalysisPlan, Hypothesis
from craftc.schemas.conclusion import Conclusion, Difference, HypothesisOutcome, Interval, Outcome, VariantSummary
from craftc.schemas.plan import Plan

Kind = Literal["beyond", "within"]


@dataclass(frozen=True)
class _Test:
    """`beyond`: that the difference is beyond a bound on one side, whichever, or on the side that is asked for; it
    takes two sides, so that its p-value is doubled. `within`: that it is within the bound on both."""

    p_value: float
    kind: Kind
    bound: float


@dataclass(frozen=True)
class _Tested:
    row: VariantSummary
    difference: Difference
    test: DifferenceTest
    confirms: _Test
    refutes: _Test


def judge_hypotheses(plan: Plan, conclusion: Conclusion) -> tuple[HypothesisOutcome, ...]:
    """In the order of the spec. What confirms is one family of tests and what refutes another, each adjusted by the
    run's correction for the number of hypotheses."""
    hypotheses = plan.analysis_plan.hypotheses
    tested = [_tested(hypothesis, conclusion, plan.analysis_plan) for hypothesis in hypotheses]
    confirming = [each.confirms.p_value if isinstance(each, _Tested) else None for each in tested]
    refuting = [each.refutes.p_value if isinstance(each, _Tested) else None for each in tested]
    outcomes = []
    for hypothesis, each, *p_values, confirms_at, refutes_at in zip(
        hypotheses,
        tested,
        adjust(confirming, conclusion.correction),
        adjust(refuting, conclusion.correction),
        levels(confirming, conclusion.correction),
        levels(refuting, conclusion.correction),
        strict=True,
    ):
        outcome = _unjudged(hypothesis, plan, each if isinstance(each, str) else "")
        if isinstance(each, _Tested):
            judged = _judged(each, p_values, (confirms_at, refutes_at), conclusion)
            outcome = HypothesisOutcome(**{**dict(outcome), **judged})
        outcomes.append(outcome)
    return tuple(outcomes)


def _tested(hypothesis: Hypothesis, conclusion: Conclusion, plan: AnalysisPlan) -> _Tested | str:
    """What can be tested, or why nothing can."""
    row = next((row for row in conclusion.variants if row.name == hypothesis.variant), None)
    if row is None or row.difference is None:
        reason = "; ".join(row.notes) if row is not None and row.notes else "its trials have not finished"
        return f"{hypothesis.variant} could not be compared with {conclusion.baseline}: {reason}"
    difference, test = row.difference, t_test_of(row.difference, plan.looks)
    if test is None:
        return "one seed has no interval" if difference.num_pairs == 1 else "every seed gave the same difference"
    baseline = next((row for row in conclusion.variants if row.is_baseline), row)
    if difference.verdict == "survivors" or row.num_failed or baseline.num_failed:
        return "seeds failed, and what survives is no fair sample"
    confirms, refutes = _tests(hypothesis, test, conclusion)
    return _Tested(row, difference, test, confirms, refutes)


def _tests(hypothesis: Hypothesis, test: DifferenceTest, conclusion: Conclusion) -> tuple[_Test, _Test]:
    """What confirms, and what refutes."""
    margin = conclusion.margin
    if hypothesis.claim in ("helps", "harms"):
        is_better = (hypothesis.claim == "helps") != hypothesis.is_feature
        sides = [test.p_above(0.0), test.p_below(0.0)]
        if is_better != (conclusion.mode == "max"):
            sides.reverse()
        towards, away = (_Test(min(1.0, 2 * p_value), "beyond", 0.0) for p_value in sides)
        if margin is None:
            return towards, away
        small = _Test(p_within(test, margin), "within", margin)
        return towards, min(away, small, key=lambda each: each.p_value)
    bound = margin if hypothesis.claim == "equal" else hypothesis.size
    assert bound is not None
    beyond = _Test(min(1.0, 2 * min(test.p_above(bound), test.p_below(-bound))), "beyond", bound)
    within = _Test(p_within(test, bound), "within", bound)
    is_large = hypothesis.claim == "differs_by" and hypothesis.relation in (">", ">=")
    return (beyond, within) if is_large else (within, beyond)


def _judged(
    tested: _Tested, p_values: Sequence[float | None], at: tuple[float, float], conclusion: Conclusion
) -> dict[str, object]:
    """What is smaller than the margin neither helps nor harms, though it is told from zero."""
    p_confirmed, p_refuted = p_values
    outcome: Outcome = "undecided"
    test, alpha = tested.confirms, at[0]
    if p_refuted is not None and p_refuted < ALPHA:
        outcome, test, alpha = "refuted", tested.refutes, at[1]
    elif p_confirmed is not None and p_confirmed < ALPHA:
        outcome = "confirmed"
    missed = 2 * alpha if test.kind == "within" else alpha
    interval = tested.test.interval(missed)
    if interval is not None and tested.row.is_share:
        interval = within_shares(interval)
    return {
        "outcome": outcome,
        "reason": _reason(tested, outcome, test, interval, 1 - missed, conclusion),
        "difference": tested.difference.mean,
        "interval": interval,
        "confidence": 1 - missed,
        "p_confirmed": p_confirmed,
        "p_refuted": p_refuted,
    }


def _reason(
    tested: _Tested,
    outcome: Outcome,
    test: _Test,
    interval: Interval | None,
    confidence: float,
    conclusion: Conclusion,
) -> str:
    decimals = choose_decimals(conclusion)
    size = fixed(tested.difference.mean, decimals, sign=True)
    if interval is not None:
        size += f" {bracketed(interval, decimals, sign=True)}"
    metric = f"{conclusion.metric.split}/{conclusion.metric.name}"
    told = f"{phrase(tested.row.name)}, {metric} changes by {size}, the {100 * confidence:.4g}% interval"
    if outcome == "undecided":
        return f"{told}, which leaves both open"
    if test.kind == "within":
        return f"{told} within ±{test.bound:g}"
    better = "lower" if conclusion.mode == "min" else "higher"
    return f"{told} beyond ±{test.bound:g}" if test.bound else f"{told} without zero; {better} is better"


def _unjudged(hypothesis: Hypothesis, plan: Plan, reason: str) -> HypothesisOutcome:
    names = {hypothesis.variant, plan.baseline}
    trials = [trial for trial in plan.trials if names & {trial.variant, *trial.aliases}]
    return HypothesisOutcome(
        **dict(hypothesis),
        text=hypothesis.text,
        outcome="undecided",
        reason=reason,
        num_known=sum(trial.status == "reused" for trial in trials),
        num_trials=len(trials),
    )
