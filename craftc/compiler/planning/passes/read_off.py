"""New trials whose weights a finished trial of the store has are measured with those; no step is taken."""

from collections.abc import Callable

from craftc.compiler.planning.passes.share import shareable
from craftc.schemas.plan import JobResources, Plan

FinishedWith = Callable[[str], str | None]
"""From a fingerprint of weights, `Stages.weights`, to a finished trial of the store that has them, or None."""


def nothing_finished(weights: str) -> str | None:
    """There is no store."""
    return None


def read_off(plan: Plan, finished_with: FinishedWith, resources: JobResources) -> Plan:
    """Have every new trial that differs from a finished one in what is measured alone read off that one.

    The trials that a search starts from are trained, for its study follows them epoch by epoch, and so are those of
    several workers.
    """
    if resources.workers > 1:
        return plan
    found = {
        trial.id: source
        for trial in shareable(plan)
        if trial.stages and trial.stages.weights and (source := finished_with(trial.stages.weights)) is not None
    }
    trials = tuple(
        trial.model_copy(update={"read_off": found[trial.id]}) if trial.id in found else trial for trial in plan.trials
    )
    return plan.model_copy(update={"trials": trials})
