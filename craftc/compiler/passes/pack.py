"""New trials become jobs, each with the resources that it needs."""

from craftc.schemas.plan import Job, JobResources, Plan


def pack(plan: Plan, resources: JobResources) -> Plan:
    """One job for each new trial, in plan order.

    With warm worker processes a job costs some hundredths of a second, so there is nothing to gain yet from
    longer ones, and one trial a job balances best.
    """
    jobs: list[Job] = []
    trials = []
    for trial in plan.trials:
        if trial.status == "new":
            trial = trial.model_copy(update={"job": len(jobs)})
            jobs.append(Job(trials=(trial.id,), resources=resources))
        trials.append(trial)
    return plan.model_copy(update={"trials": tuple(trials), "jobs": tuple(jobs)})
