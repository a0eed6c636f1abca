"""A plan in; every variant's trials, under all its names, out."""

from craftc.schemas.plan import Plan, Trial

VariantTrials = dict[str, tuple[Trial, ...]]


def variant_trials(plan: Plan) -> VariantTrials:
    """Every variant's trials, in the order of the plan; a variant that was folded into another follows it."""
    by_variant: dict[str, dict[int, Trial]] = {}
    for trial in plan.trials:
        for name in (trial.variant, *trial.aliases):
            by_variant.setdefault(name, {}).setdefault(trial.seed, trial)
    return {name: tuple(trials.values()) for name, trials in by_variant.items()}
