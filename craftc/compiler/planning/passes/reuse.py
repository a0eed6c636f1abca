"""Trials that the store has finished are not run again."""

from collections.abc import Callable

from craftc.schemas.plan import Plan


def reuse(plan: Plan, is_finished: Callable[[str], bool]) -> Plan:
    """Mark every trial whose result is there already."""
    return plan.model_copy(
        update={
            "trials": tuple(
                trial.model_copy(update={"status": "reused"}) if is_finished(trial.id) else trial
                for trial in plan.trials
            )
        }
    )
