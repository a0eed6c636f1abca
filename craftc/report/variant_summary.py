"""Summarises each variant by itself: the values of its seeds, their mean, epochs and gap."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from craftc.report.folds import by_fold, fold_overlap
from craftc.report.numbers import counted
from craftc.report.statistics import estimate
from craftc.schemas.conclusion import Estimate, MetricIdentity, SeedValue, VariantSummary
from craftc.schemas.plan import Headline, Plan, Trial
from craftc.schemas.result import Result, TrialFailed
from craftc.schemas.split_roles import FIT, role_of


def gap_splits(plan: Plan, results: Mapping[str, Result]) -> tuple[str, str] | None:
    """The split that is fitted on, and `valid` or else the first that selects; None where there is none."""
    baseline = [t.id for t in plan.trials if plan.baseline in (t.variant, *t.aliases)]
    for trial_id in (*baseline, *(t.id for t in plan.trials)):
        if trial_id in results:
            sizes, said = results[trial_id].split_sizes, plan.trial(trial_id).config.get("data", {}).get("splits", {})
            others = [split for split in sizes if role_of(split, said.get(split)) == "select"]
            if FIT not in sizes or not others:
                return None
            return FIT, "valid" if "valid" in others else others[0]
    return None


def summarise(
    name: str,
    trials: Sequence[Trial],
    plan: Plan,
    results: Mapping[str, Result],
    failures: Mapping[str, TrialFailed],
    gap: tuple[str, str] | None,
) -> VariantSummary:
    """One variant by itself. What no seed measured is None; what some did not measure is the mean of the others."""
    seeds = [_seed_value(trial, plan.headline, results.get(trial.id), trial.id in failures, gap) for trial in trials]
    values = [seed.value for seed in seeds if seed.value is not None]
    definitions = list(dict.fromkeys(seed.averaging for seed in seeds if seed.value is not None))
    is_one_metric = len(definitions) == 1
    num_finished = sum(seed.status == "finished" for seed in seeds)
    num_failed = sum(seed.status == "failed" for seed in seeds)
    shares = [plan.headline.metric in results[trial.id].shares for trial in trials if trial.id in results]
    is_share = bool(shares) and all(shares)
    notes = []
    if num_failed and num_finished:
        notes.append(f"{num_failed} of {counted(len(seeds), 'seed')} failed, so the mean is that of the survivors")
    if len(definitions) > 1:
        notes.append(f"{plan.headline.name} is not the same metric for every seed: {'; '.join(map(str, definitions))}")
    if len(values) < num_finished:
        of_trials = f"{num_finished - len(values)} of {counted(num_finished, 'trial')}"
        notes.append(f"{plan.headline.name} was not measured in {of_trials}")
    return VariantSummary(
        name=name,
        is_baseline=name == plan.baseline,
        is_share=is_share,
        metric=MetricIdentity(
            split=plan.headline.split, name=plan.headline.metric, averaging=definitions[0] if is_one_metric else None
        ),
        num_planned=len(seeds),
        num_finished=num_finished,
        seeds=tuple(seeds),
        value=_estimated(seeds, values, is_share=is_share) if is_one_metric else None,
        at_last=_mean(seed.at_last for seed in seeds) if is_one_metric else None,
        gap=_mean(seed.gap for seed in seeds) if is_one_metric else None,
        best_epoch=_mean(seed.best_epoch for seed in seeds),
        last_epoch=_mean(seed.last_epoch for seed in seeds),
        notes=tuple(notes),
    )


def _estimated(seeds: Sequence[SeedValue], values: Sequence[float], *, is_share: bool) -> Estimate:
    """Over the seeds, or over the folds, of which each is the mean of its seeds."""
    if all(seed.fold is None for seed in seeds):
        return estimate(values, is_share=is_share)
    means = by_fold({(seed.fold, seed.seed): seed.value for seed in seeds if seed.value is not None})
    found = estimate(list(means.values()), is_share=is_share, overlap=fold_overlap(len(means)))
    return found.model_copy(update={"num_seeds": len(values)})


def _seed_value(
    trial: Trial, headline: Headline, result: Result | None, has_failed: bool, gap: tuple[str, str] | None
) -> SeedValue:
    if result is None:
        return SeedValue(
            seed=trial.seed, fold=trial.fold, trial=trial.id, status="failed" if has_failed else "unfinished"
        )
    ends = [result.best.get(f"{split}/{headline.metric}") for split in gap] if gap else [None, None]
    return SeedValue(
        seed=trial.seed,
        fold=trial.fold,
        trial=trial.id,
        status="finished",
        averaging=result.identities.get(headline.metric),
        value=result.best.get(headline.name),
        at_last=result.last.get(headline.name),
        gap=None if ends[0] is None or ends[1] is None else ends[0] - ends[1],
        best_epoch=result.best_epoch,
        last_epoch=result.epochs_trained,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
