"""Decides the hypotheses of a run, by intervals that hold together.

With h hypotheses each is judged by the interval of its paired difference at a level of 1 - 0.05 / h (Bonferroni), so
that in no more than 5% of runs any of them is confirmed or refuted wrongly. They are a family of their own: they were
written before the run. Whether two are equal is judged by two one-sided tests (Schuirmann 1987), which is the interval
at 1 - 0.1 / h.
"""

from collections.abc import Sequence

from craftc.report.numbers import bracketed, choose_decimals, fixed
from craftc.report.statistics import ALPHA, interval_at
from craftc.schemas.conclusion import Conclusion, Difference, HypothesisOutcome, Interval, Outcome, VariantSummary
from craftc.schemas.hypothesis import Hypothesis


def decide(hypotheses: Sequence[Hypothesis], conclusion: Conclusion) -> tuple[HypothesisOutcome, ...]:
    """What became of each, in their order."""
    rows = {row.name: row for row in conclusion.variants}
    return tuple(_decide(each, rows.get(each.variant), conclusion, len(hypotheses)) for each in hypotheses)


def _decide(hypothesis: Hypothesis, row: VariantSummary | None, conclusion: Conclusion, num: int) -> HypothesisOutcome:
    reason = _why_not(row)
    if reason is not None or row is None or row.difference is None:
        return HypothesisOutcome(name=hypothesis.name, claim=hypothesis.words, outcome="undecided", text=reason or "")
    alpha = ALPHA / num
    seen = interval_at(row.difference, 1 - alpha)
    within = interval_at(row.difference, 1 - 2 * alpha)
    outcome = _outcome(hypothesis, seen, within, conclusion)
    return HypothesisOutcome(
        name=hypothesis.name,
        claim=hypothesis.words,
        outcome=outcome,
        interval=seen,
        level=1 - alpha,
        text=_text(row, row.difference, seen, 1 - alpha, conclusion),
    )


def _why_not(row: VariantSummary | None) -> str | None:
    """Why nothing can be said of a variant; None where something can."""
    if row is None:
        return "there is no such variant"
    if not row.comparable:
        return "it is measured by another metric"
    if row.difference is None or row.difference.standard_error is None:
        return "there are not two seeds that differ"
    if row.difference.verdict == "survivors":
        return "seeds failed on the better side"
    return None


def _outcome(hypothesis: Hypothesis, seen: Interval, within: Interval, conclusion: Conclusion) -> Outcome:
    match hypothesis.claim:
        case "helps" | "harms":
            # The variant is the one without a feature, and a lower loss is a better one.
            sign = (-1 if hypothesis.is_feature else 1) * (1 if conclusion.mode == "max" else -1)
            sign *= 1 if hypothesis.claim == "helps" else -1
            low, high = sorted((sign * seen.low, sign * seen.high))
            if low > 0:
                return "confirmed"
            return "refuted" if high < 0 or _lies_within(within, conclusion.margin) else "undecided"
        case "equal":
            if _lies_within(within, conclusion.margin):
                return "confirmed"
            return "refuted" if _lies_beyond(seen, conclusion.margin) else "undecided"
        case _:
            is_small = hypothesis.comparison in ("<", "<=")
            if _lies_beyond(seen, hypothesis.size):
                return "refuted" if is_small else "confirmed"
            if _lies_within(within, hypothesis.size):
                return "confirmed" if is_small else "refuted"
            return "undecided"


def _lies_within(interval: Interval, size: float | None) -> bool:
    return size is not None and -size < interval.low and interval.high < size


def _lies_beyond(interval: Interval, size: float | None) -> bool:
    return size is not None and (interval.low >= size or interval.high <= -size)


def _text(row: VariantSummary, difference: Difference, seen: Interval, level: float, conclusion: Conclusion) -> str:
    decimals = choose_decimals(conclusion)
    values = f"{fixed(difference.mean, decimals, sign=True)} {bracketed(seen, decimals, sign=True)}"
    return f"{row.name} differs from {conclusion.baseline} by {values}, an interval of {100 * level:.3g}%"
