"""What a run that adds seeds until variants are decided saw at its looks, and which seeds it has no need of."""

from collections.abc import Mapping, Sequence

from craftc.report.statistics import paired_difference, within_shares
from craftc.report.t_tests import p_two_sided, t_test_of
from craftc.schemas.conclusion import Decision, Difference, Look, VariantSummary, Verdict
from craftc.schemas.plan import Plan

DECIDED: tuple[Decision, ...] = ("better", "worse", "equal")


def at_looks(difference: Difference, row: VariantSummary, baseline: VariantSummary, plan: Plan) -> Difference:
    """The difference with its looks, and interval, p-value and verdict such that they hold at all of them.

    A look is taken once none of its seeds is still to be trained, on either side.
    """
    planned = plan.analysis_plan.looks
    looks = []
    for num in planned:
        sides = [side.seeds[:num] for side in (row, baseline)]
        if any(seed.status in ("unfinished", "withheld") for side in sides for seed in side):
            break
        values, references = ({seed.seed: seed.value for seed in side if seed.value is not None} for side in sides)
        common = [seed for seed in values if seed in references]
        if common:
            found = paired_difference([values[seed] for seed in common], [references[seed] for seed in common])
            error = None if found.error is None else found.error.standard_error
            looks.append(Look(num_seeds=num, num_pairs=len(common), mean=found.mean, standard_error=error))
    difference = difference.model_copy(update={"looks": tuple(looks)})
    test = t_test_of(difference, planned)
    interval = None if test is None else test.interval()
    if test is None or interval is None:
        return difference.model_copy(update={"interval": None, "p_value": None, "verdict": "untested"})
    if row.is_share and baseline.is_share:
        interval = within_shares(interval)
    verdict: Verdict = "undecided"
    if interval.low > 0 or interval.high < 0:
        verdict = "better" if (interval.low > 0) == (plan.headline.mode == "max") else "worse"
    return difference.model_copy(update={"interval": interval, "p_value": p_two_sided(test), "verdict": verdict})


def without_withheld(rows: Sequence[VariantSummary], plan: Plan) -> list[VariantSummary]:
    """The rows, with the seeds marked that a decided variant has no need of; of the baseline those that no undecided
    one is compared with."""
    if not plan.analysis_plan.looks:
        return list(rows)
    needed = {row.name: _num_needed(row, plan) for row in rows if not _is_reference(row, plan)}
    most = max(needed.values(), default=plan.analysis_plan.looks[-1])
    return [_withheld(row, needed.get(row.name, most), plan) for row in rows]


def decided(rows: Sequence[VariantSummary], plan: Plan) -> frozenset[str]:
    """The variants that get no more seeds; the baseline where that holds of all others."""
    references = {row.name for row in rows if _is_reference(row, plan)}
    names = {row.name for row in rows if row.difference and row.difference.decision in DECIDED}
    others = {row.name for row in rows} - references
    return frozenset(names | references if others and others <= names else names)


def _is_reference(row: VariantSummary, plan: Plan) -> bool:
    """Whether it is the baseline, or another name of it."""
    return row.is_baseline or row.same_as == plan.baseline


def _num_needed(row: VariantSummary, plan: Plan) -> int:
    difference = row.difference
    if difference is None or difference.decision not in DECIDED or not difference.looks:
        return plan.analysis_plan.looks[-1]
    return difference.looks[-1].num_seeds


def _withheld(row: VariantSummary, num_needed: int, plan: Plan) -> VariantSummary:
    seeds = tuple(
        seed.model_copy(update={"status": "withheld"}) if index >= num_needed and seed.status == "unfinished" else seed
        for index, seed in enumerate(row.seeds)
    )
    num_withheld = sum(seed.status == "withheld" for seed in seeds)
    if num_withheld == 0:
        return row
    what = "all others are decided" if _is_reference(row, plan) else "decided"
    note = f"{what} after {num_needed} of at most {plan.analysis_plan.looks[-1]} seeds"
    update: Mapping[str, object] = {
        "seeds": seeds,
        "num_planned": row.num_planned - num_withheld,
        "notes": (*row.notes, note),
    }
    return row.model_copy(update=update)
