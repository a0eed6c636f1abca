"""Writes what a run decided: what its verdicts allow for, its hypotheses, and the seeds that it would take."""

from craftc.report.correction import CORRECTIONS
from craftc.report.decide import comparisons
from craftc.report.numbers import counted
from craftc.report.power import MOST_SEEDS
from craftc.report.wording import listed
from craftc.schemas.conclusion import Conclusion, Decision, Finding, HypothesisOutcome, SeedsNeeded


def find_equal(conclusion: Conclusion) -> list[Finding]:
    """Variants that are shown to differ by less than the margin; without one there are none."""
    found = [(row.name, d.equivalence) for row, d in comparisons(conclusion.variants) if d.decision == "equal"]
    if not found:
        return []
    text = (
        f"Equal to {conclusion.baseline} within ±{conclusion.margin:g} (two one-sided paired t-tests, "
        f"{CORRECTIONS[conclusion.correction]}): {listed([name for name, _ in found])}."
    )
    return [Finding(kind="equal", text=text, variants=tuple(name for name, _ in found))]


def find_features(conclusion: Conclusion) -> list[Finding]:
    """With a margin, what the verdicts say of each feature, which is off in the row that was compared."""
    if conclusion.margin is None:
        return []
    said: dict[Decision, str] = {
        "worse": "what helps",
        "better": "what harms",
        "equal": f"what makes a difference of less than {conclusion.margin:g}",
        "undecided": "undecided",
    }
    compared = [(row, difference.decision) for row, difference in comparisons(conclusion.variants) if row.feature]
    parts = []
    for decision, words in said.items():
        features = [row.feature for row, decided in compared if decided == decision and row.feature]
        parts += [f"{words}: {listed(features)}"] if features else []
    if not parts:
        return []
    names = tuple(row.name for row, _ in compared)
    return [Finding(kind="features", text=f"Of the features, {'; '.join(parts)}.", variants=names)]


def hypothesis_lines(conclusion: Conclusion) -> list[str]:
    """A line for each, and one for the family that they are."""
    lines = [_hypothesis_line(each) for each in conclusion.hypotheses]
    num = len(lines)
    if num > 1:
        lines.append(
            f"With {CORRECTIONS[conclusion.correction]} for {num} hypotheses, which are a family of their own."
        )
    return lines


def _hypothesis_line(outcome: HypothesisOutcome) -> str:
    """`confirmed: warmup helps. Without warmup, ...`"""
    reason = outcome.reason[:1].upper() + outcome.reason[1:]
    known = ""
    if outcome.num_known:
        known = (
            f" {outcome.num_known} of its {counted(outcome.num_trials, 'trial')} had finished before this run began."
        )
    return f"{outcome.outcome}: {outcome.text}. {reason}.{known}"


def find_seeds_needed(conclusion: Conclusion) -> list[Finding]:
    """How many seeds would decide what is undecided, at the spread that was seen."""
    needed = [
        (row.name, difference.num_pairs, difference.seeds_needed)
        for row, difference in comparisons(conclusion.variants)
        if difference.seeds_needed is not None
    ]
    if not needed:
        return []
    effect = "as large as seen" if conclusion.margin is None else f"of {conclusion.margin:g} (the margin)"
    told = listed([f"{name} {_number(each, num_pairs)}" for name, num_pairs, each in needed])
    text = (
        f"Seeds that find a difference {effect} in 80% of runs, at the spread seen and level "
        f"{needed[0][2].alpha:.2g}: {told}."
    )
    return [Finding(kind="seeds-needed", text=text, variants=tuple(name for name, _, _ in needed))]


def _number(needed: SeedsNeeded, num_pairs: int) -> str:
    if needed.num_seeds is None:
        return f"more than {MOST_SEEDS}"
    return f"{needed.num_seeds}{', which it has' if needed.num_seeds <= num_pairs else ''}"
