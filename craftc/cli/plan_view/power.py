"""Which differences the seeds of a plan can see, by the spread of its trials that have finished."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import variance
from typing import Any

from craftc.report.numbers import counted
from craftc.report.power import MOST_SEEDS, detectable_effect, first_level, seeds_needed
from craftc.runtime.store.store import Store, StoreError
from craftc.schemas.plan import Plan, Trial, VariantTrials, variant_trials

MOST_READ = 200
"""Results that are opened."""


@dataclass(frozen=True)
class Power:
    """`num_seeds` find a true difference of `detectable_difference` and more in 80% of runs, by a two-sided paired
    t-test at level `alpha`. `spread` is the standard deviation of the differences between paired seeds, pooled over
    `num_variants` whose trials the store has. `seeds_for_margin`: how many it takes to find the margin; None without
    one, and for more than 100."""

    metric: str
    num_seeds: int
    detectable_difference: float
    spread: float
    num_variants: int
    alpha: float
    margin: float | None
    seeds_for_margin: int | None

    def as_json(self) -> dict[str, Any]:
        """For `craftc plan --format json`."""
        return asdict(self)


def power_of(plan: Plan, store: Store) -> Power | None:
    """None where fewer than two seeds are planned or no variant has two finished pairs that differ; of folds the number
    is no matter of seeds."""
    trials = variant_trials(plan)
    planned = {trial.seed for trial in trials.get(plan.baseline, ())}
    if len(planned) < 2 or any(trial.fold is not None for trial in plan.trials):
        return None
    groups = _differences(plan, trials, store)
    if not groups:
        return None
    freedom = sum(len(group) - 1 for group in groups)
    spread = math.sqrt(sum((len(group) - 1) * variance(group) for group in groups) / freedom)
    compared = {tuple(trial.id for trial in of) for name, of in trials.items() if name != plan.baseline}
    compared.discard(tuple(trial.id for trial in trials[plan.baseline]))
    alpha = first_level(len(compared), plan.analysis_plan.correction)
    margin = plan.analysis_plan.margin
    return Power(
        metric=plan.headline.name,
        num_seeds=len(planned),
        detectable_difference=detectable_effect(len(planned), alpha) * spread,
        spread=spread,
        num_variants=len(groups),
        alpha=alpha,
        margin=margin,
        seeds_for_margin=None if margin is None else seeds_needed(margin / spread, alpha),
    )


def power_lines(power: Power | None) -> list[str]:
    """One sentence where the spread is known."""
    if power is None:
        return []
    known = f"the spread of {counted(power.num_variants, 'variant')} in the store, level {power.alpha:.2g}"
    line = (
        f"power: {power.num_seeds} seeds see differences in {power.metric} of {power.detectable_difference:.2g} and "
        f"more with 80% power ({known})"
    )
    if power.margin is not None:
        num = power.seeds_for_margin
        seeds = f"more than {MOST_SEEDS} seeds" if num is None else counted(num, "seed")
        line += f"; the margin, {power.margin:g}, takes {seeds}"
    return [line]


def _differences(plan: Plan, trials: VariantTrials, store: Store) -> list[list[float]]:
    """Variant minus baseline, seed by seed, of each variant that has two pairs or more which are not all alike."""
    baseline = _values(plan, trials.get(plan.baseline, ()), store)
    groups = []
    num_read = len(baseline)
    for name, of_variant in trials.items():
        if len(baseline) < 2 or num_read >= MOST_READ:
            break
        if name == plan.baseline or name in of_variant[0].aliases:
            continue
        values = _values(plan, of_variant, store)
        num_read += len(values)
        pairs = [(values[seed], baseline[seed]) for seed in values if seed in baseline]
        found = [a[1] - b[1] for a, b in pairs if a[0] == b[0]]
        if len(found) > 1 and max(found) > min(found):
            groups.append(found)
    return groups


def _values(plan: Plan, trials: Sequence[Trial], store: Store) -> Mapping[int, tuple[str | None, float]]:
    """How each finished trial defines the headline, and its value, by seed."""
    found = {}
    for trial in trials[:MOST_READ]:
        if trial.status == "reused":
            try:
                result = store.result(trial.id)
            except (KeyError, StoreError):
                continue
            value = result.best.get(plan.headline.name)
            if value is not None:
                found[trial.seed] = (result.identities.get(plan.headline.metric), value)
    return found
