"""Writes how a run came to its numbers, as a paragraph for a paper: what was trained, chosen, measured and tested."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from craftc.report.correction import CORRECTIONS
from craftc.report.numbers import counted
from craftc.report.wording import listed
from craftc.schemas.conclusion import Conclusion, VariantSummary
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Result


def methods(plan: Plan, conclusion: Conclusion, results: Mapping[str, Result]) -> str:
    """Sentences, each of what the run has; empty where no trial has finished."""
    known = [results[trial.id] for trial in plan.trials if trial.id in results]
    if not known:
        return ""
    return " ".join(
        [
            *_trained(plan, conclusion),
            *_chosen(plan, conclusion),
            *_searched(plan),
            *_compared(conclusion),
            *_judged(conclusion),
            *_failed(conclusion),
            _versions(known),
        ]
    )


def _trained(plan: Plan, conclusion: Conclusion) -> Iterator[str]:
    rows = [row for row in conclusion.variants if row.same_as is None]
    seeds = sorted({trial.seed for trial in plan.trials})
    folds = sorted({trial.fold for trial in plan.trials if trial.fold is not None})
    what = f"{counted(len(rows), 'variant')} of one experiment {'was' if len(rows) == 1 else 'were'} trained"
    if conclusion.looks:
        looks = f"{', '.join(map(str, conclusion.looks[:-1]))} and {conclusion.looks[-1]}"
        yield (
            f"{what} with {conclusion.looks[0]} to {conclusion.looks[-1]} seeds each: at looks after {looks} seeds, "
            "variants whose comparison was decided got no more."
        )
        return
    numbers = f" ({', '.join(map(str, seeds))})" if len(seeds) <= 10 else f" ({seeds[0]} to {seeds[-1]})"
    in_folds = f" in each of {len(folds)} folds" if folds else ""
    yield f"{what} with {counted(len(seeds), 'seed')}{numbers}{in_folds} each."


def _chosen(plan: Plan, conclusion: Conclusion) -> Iterator[str]:
    """What is measured, and with which weights, by the baseline."""
    baseline = next((trial for trial in plan.trials if plan.baseline in (trial.variant, *trial.aliases)), None)
    metric = conclusion.metric
    definition = f" ({metric.averaging})" if metric.averaging else ""
    better = "lower" if conclusion.mode == "min" else "higher"
    yield f"They are judged by {metric.split}/{metric.name}{definition}, of which {better} is better."
    if baseline is not None:
        yield f"The weights of each trial are those of {_epoch(baseline)}."


def _epoch(trial: Trial) -> str:
    select: Any = trial.config.get("evaluation", {}).get("select")
    if not isinstance(select, Mapping):
        return f"its last {trial.record_name}"
    most = "least" if select.get("mode") == "min" else "greatest"
    return f"the {trial.record_name} of the {most} {select['metric']}"


def _searched(plan: Plan) -> Iterator[str]:
    if plan.search is not None:
        kind, num = plan.search.sampler.get("kind"), len(plan.search.variants)
        each = f" for each of {num} variants" if num > 1 else ""
        yield (
            f"A search by {kind} proposed {plan.search.trials} points{each}, to optimize {plan.search.metric}; the "
            "table is of the starting points."
        )


def _compared(conclusion: Conclusion) -> Iterator[str]:
    rows = conclusion.variants
    has_folds = any(seed.fold is not None for row in rows for seed in row.seeds)
    of = "folds" if has_folds else "seeds"
    widened = " widened for the training samples that folds share (Nadeau and Bengio 2003)" if has_folds else ""
    if any(row.value and row.value.interval for row in rows):
        yield f"Means over {of} are given with 95% Student-t intervals{widened}."
    num = conclusion.num_comparisons
    if num == 0:
        return
    held = (
        "hold at all looks, with alpha spent as by Pocock's boundary (Lan and DeMets 1983)"
        if conclusion.looks
        else "are not corrected for the number of comparisons"
    )
    yield (
        f"Differences to {conclusion.baseline} are paired by {of[:-1]}; their 95% intervals {held}. They are tested by "
        "two-sided paired t-tests at the 5% level."
    )
    if num > 1:
        yield f"The p-values of {num} comparisons are given with {CORRECTIONS[conclusion.correction]}."


def _judged(conclusion: Conclusion) -> Iterator[str]:
    if conclusion.margin is not None:
        yield (
            "Variants count as equal where two one-sided paired t-tests at the 5% level show a difference of less "
            f"than {conclusion.margin:g}."
        )
    num = len(conclusion.hypotheses)
    if num:
        known = sum(each.num_known > 0 for each in conclusion.hypotheses)
        told = f"; of {known}, some results were known before" if known else ""
        family = f", with {CORRECTIONS[conclusion.correction]} of their own" if num > 1 else ""
        several = "1 hypothesis" if num == 1 else f"{num} hypotheses"
        yield f"{several} stood in the spec of the run{family}{told}."


def _failed(conclusion: Conclusion) -> Iterator[str]:
    rows = [row for row in conclusion.variants if row.same_as is None]
    failed, missing = (_names(rows, status) for status in ("failed", "unfinished"))
    if failed:
        yield f"Trials failed of {failed}; nothing is decided in favour of what survived."
    if missing:
        yield f"Trials are missing of {missing}."


def _names(rows: Sequence[VariantSummary], status: str) -> str:
    return listed([row.name for row in rows if any(seed.status == status for seed in row.seeds)])


def _versions(results: Sequence[Result]) -> str:
    versions, devices = (
        sorted(set(each)) for each in zip(*((r.craftc_version, r.device) for r in results), strict=True)
    )
    return f"Trained with craftc {' and '.join(versions)} on {' and '.join(devices)}."
