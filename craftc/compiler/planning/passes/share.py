"""New trials that take the same steps are trained once, together."""

from collections.abc import Iterable

from craftc.schemas.plan import JobResources, Plan, Trial

SEVERAL_WORKERS = "a training by several workers is not shared"


def share(plan: Plan, resources: JobResources) -> Plan:
    """Have every new trial read off the longest of those with its train stage; the first of equally long ones.

    The trials that a search starts from stay apart: its study follows them epoch by epoch, one after another. The
    points of a search are not known yet, and each may be stopped by what the others came to.
    """
    leaders: dict[str, Trial] = {}
    for trial in shareable(plan):
        assert trial.stages is not None
        leader = leaders.setdefault(trial.stages.train, trial)
        if (trial.epochs or 0) > (leader.epochs or 0):
            leaders[trial.stages.train] = trial
    led_by = {
        trial.id: leaders[trial.stages.train].id
        for trial in shareable(plan)
        if trial.stages and trial.id != leaders[trial.stages.train].id
    }
    if led_by and resources.workers > 1:
        return plan.model_copy(update={"unshared": f"{len(led_by)} could share a training; {SEVERAL_WORKERS}"})
    trials = tuple(
        trial.model_copy(update={"shares": led_by[trial.id]}) if trial.id in led_by else trial for trial in plan.trials
    )
    return plan.model_copy(update={"trials": trials})


def shareable(plan: Plan) -> Iterable[Trial]:
    """The trials that are to be trained, and that no study follows."""
    searched = set(plan.search.variants) if plan.search else set()
    for trial in plan.trials:
        if (
            trial.status == "new"
            and trial.read_off is None
            and trial.stages
            and searched.isdisjoint((trial.variant, *trial.aliases))
        ):
            yield trial
