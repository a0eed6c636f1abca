"""Computes the paired differences of variants to the baseline, or says why there is none."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from craftc.report.at_looks import at_looks
from craftc.report.decide import decide
from craftc.report.folds import by_fold, fold_overlap
from craftc.report.statistics import paired_difference
from craftc.schemas.conclusion import Difference, VariantSummary, Verdict
from craftc.schemas.plan import Plan, Trial, VariantTrials

_TEXTS = ("text_file", "python_docs")


def compare(rows: Sequence[VariantSummary], trials: VariantTrials, plan: Plan) -> list[VariantSummary]:
    """Give each row its difference to the baseline, what that decides, and its notes."""
    baseline = next((row for row in rows if row.is_baseline), None)
    compared: dict[tuple[str, ...], VariantSummary] = {_trial_ids(baseline): baseline} if baseline else {}
    out = []
    for row in rows:
        twin = None if row.is_baseline else compared.get(_trial_ids(row))
        if twin is not None:
            row = _folded(row, twin)
        elif baseline is not None and not row.is_baseline:
            row = _compared(row, baseline, trials, plan)
        compared.setdefault(_trial_ids(row), row)
        out.append(row)
    return decide(out, plan.analysis_plan)


def _trial_ids(row: VariantSummary) -> tuple[str, ...]:
    return tuple(seed.trial for seed in row.seeds)


def _folded(row: VariantSummary, twin: VariantSummary) -> VariantSummary:
    notes = (*(() if twin.is_baseline else twin.notes), f"the same trials as {twin.name}")
    same = {name: getattr(twin, name) for name in ("comparable", "other_samples", "difference")}
    return row.model_copy(update={"same_as": twin.name, "notes": notes, **same})


def _compared(row: VariantSummary, baseline: VariantSummary, trials: VariantTrials, plan: Plan) -> VariantSummary:
    reason = _incomparable(row, baseline, plan)
    if reason is not None:
        return row.model_copy(update={"comparable": False, "notes": (*row.notes, reason)})
    changed = _changed_data(row, baseline, trials)
    notes = row.notes
    if changed:
        differ = f"{' and '.join(changed)} {'differ' if len(changed) > 1 else 'differs'}"
        notes = (*notes, f"measured on other samples than {baseline.name}: {differ}")
    difference = _difference(row, baseline, plan)
    if difference is None and row.value and baseline.value:
        notes = (*notes, f"no seed in common with {baseline.name}")
    return row.model_copy(update={"difference": difference, "notes": notes, "other_samples": bool(changed)})


def _incomparable(row: VariantSummary, baseline: VariantSummary, plan: Plan) -> str | None:
    """Why the two do not measure the same thing, or None."""
    measured = [{s.averaging for s in side.seeds if s.value is not None} for side in (row, baseline)]
    if not measured[0] or not measured[1] or (measured[0] == measured[1] and len(measured[0]) == 1):
        return None
    here, there = ("; ".join(sorted(map(str, definitions))) for definitions in measured)
    return f"{plan.headline.name} is another metric here: {here}; in {baseline.name}: {there}"


def _changed_data(row: VariantSummary, baseline: VariantSummary, trials: VariantTrials) -> list[str]:
    """What of the data decides which samples are measured, and is not the same for both."""
    here, there = (measured_data(trials[name][0]) for name in (row.name, baseline.name))
    return [f"data.{key}" for key in ("source", "splits", "tokenizer") if here.get(key) != there.get(key)]


def measured_data(trial: Trial) -> dict[str, Any]:
    """What of a trial's data decides which samples are measured.

    With a `stride`, windows of a text measure every character of a split but the first, whatever their length, and
    whatever the tokens are.
    """
    data = trial.config.get("data", {})
    free = ("fold", "train_share")
    source, tokenizer = data.get("source", {}), data.get("tokenizer", {"kind": "char"})
    if source.get("kind") in _TEXTS and source.get("stride", "none") != "none":
        source = {key: value for key, value in source.items() if key not in ("context_length", "stride")}
        tokenizer = None
    splits = {key: value for key, value in data.get("splits", {}).items() if key not in free}
    return {**data, "source": source, "tokenizer": tokenizer, "splits": splits}


def _difference(row: VariantSummary, baseline: VariantSummary, plan: Plan) -> Difference | None:
    values, references = (
        {(s.fold, s.seed): s.value for s in side.seeds if s.value is not None} for side in (row, baseline)
    )
    mode = plan.headline.mode
    difference = difference_by_place(values, references, mode, are_shares=row.is_share and baseline.is_share)
    if difference is not None and plan.analysis_plan.looks:
        difference = at_looks(difference, row, baseline, plan)
    ahead = {"better": row, "worse": baseline}.get(difference.verdict) if difference else None
    if difference is None or ahead is None or not ahead.num_failed:
        return difference
    return difference.model_copy(update={"verdict": "survivors"})


def difference_by_place(
    values: Mapping[tuple[int | None, int], float],
    references: Mapping[tuple[int | None, int], float],
    mode: Literal["min", "max"],
    *,
    are_shares: bool = False,
) -> Difference | None:
    """The first values minus the second, by fold and seed: without folds seed by seed, otherwise fold by fold, each the
    mean over the seeds that both have there."""
    if all(fold is None for fold, _ in values):
        by_seed, others = ({seed: value for (_, seed), value in side.items()} for side in (values, references))
        return difference_of(by_seed, others, mode, are_shares=are_shares)
    common = [place for place in values if place in references]
    means = [by_fold({place: side[place] for place in common}) for side in (values, references)]
    found = difference_of(means[0], means[1], mode, are_shares=are_shares, overlap=fold_overlap(len(means[0])))
    seeds = tuple(dict.fromkeys(seed for _, seed in common))
    return None if found is None else found.model_copy(update={"seeds": seeds, "folds": found.seeds})


def difference_of(
    by_seed: Mapping[int, float],
    references: Mapping[int, float],
    mode: Literal["min", "max"],
    *,
    are_shares: bool = False,
    overlap: float = 0.0,
) -> Difference | None:
    """The first values minus the second, over the seeds that both have; None where they have none in common. `overlap`
    is that of folds."""
    pairs = [(seed, value, references[seed]) for seed, value in by_seed.items() if seed in references]
    if not pairs:
        return None
    seeds, values, others = zip(*pairs, strict=True)
    found = paired_difference(values, others, are_shares=are_shares, overlap=overlap)
    verdict: Verdict = "untested"
    if found.interval is not None:
        is_clear = found.interval.low > 0 or found.interval.high < 0
        verdict = "undecided" if not is_clear else "better" if (found.mean > 0) == (mode == "max") else "worse"
    return Difference(
        mean=found.mean,
        interval=found.interval,
        seeds=seeds,
        p_value=found.p_value,
        p_value_holm=None,
        verdict=verdict,
        standard_error=found.error.standard_error if found.error else None,
    )
