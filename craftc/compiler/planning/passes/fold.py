"""Trials that came out the same become one, under all their names."""

from craftc.schemas.plan import Plan, Trial


def fold(plan: Plan) -> Plan:
    """Keep the first of all trials with one fingerprint and add the others' variants to its aliases."""
    kept: dict[str, Trial] = {}
    for trial in plan.trials:
        first = kept.get(trial.id)
        if first is None:
            kept[trial.id] = trial
        elif trial.variant != first.variant and trial.variant not in first.aliases:
            kept[trial.id] = first.model_copy(update={"aliases": (*first.aliases, trial.variant)})
    return plan.model_copy(
        update={"trials": tuple(kept.values()), "folded": plan.folded + len(plan.trials) - len(kept)}
    )
