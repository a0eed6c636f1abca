"""New trials become jobs, each with the resources that it needs."""

from craftc.schemas.plan import Job, JobResources, Plan, Trial
from craftc.schemas.spec import Spec


def job_resources(spec: Spec) -> JobResources:
    """What each job of a spec's plan is given."""
    given = spec.resources
    return JobResources(workers=given.workers, cpu=given.cpus, gpu=given.gpus)


def pack(plan: Plan, resources: JobResources) -> Plan:
    """One job for each new trial, in plan order; one for trials that share a training, and one for all seeds of a
    variant that a search starts from.

    With warm worker processes a job costs some hundredths of a second, so there is nothing to gain yet from
    longer ones, and one training a job balances best. What a search judges is a mean over seeds, epoch by epoch, and so
    they are trained in one place, in order.
    """
    together = plan.search.variants if plan.search else ()
    jobs: list[list[str]] = []
    begun: dict[str, int] = {}
    trials: list[Trial] = []
    for trial in plan.trials:
        if trial.status == "new":
            company = trial.variant if trial.variant in together else trial.shares or trial.id
            index = begun.setdefault(company, len(jobs))
            if index == len(jobs):
                jobs.append([])
            jobs[index].append(trial.id)
            trial = trial.model_copy(update={"job": index})
        trials.append(trial)
    packed = tuple(Job(trials=tuple(job), resources=resources) for job in jobs)
    return plan.model_copy(update={"trials": tuple(trials), "jobs": packed})
