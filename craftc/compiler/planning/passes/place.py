"""Jobs are put in the order in which they are begun, and how many run at a time is counted."""

from typing import Any

from craftc.schemas.forecast import Machine
from craftc.schemas.plan import Job, JobResources, Plan, Trial


def place(plan: Plan) -> Plan:
    """Order the jobs, the longest first; of equally long ones that of the larger model, then as the plan has them.

    Whoever is free takes the next job, so what is begun last is short, and nobody waits long for it.
    """
    by_id = {trial.id: trial for trial in plan.trials}
    costs = [(job_epochs(job, by_id), model_size(by_id[job.trials[0]].config.get("model"))) for job in plan.jobs]
    order = sorted(range(len(plan.jobs)), key=lambda index: costs[index], reverse=True)
    moved = {before: after for after, before in enumerate(order)}
    trials = tuple(
        trial if trial.job is None else trial.model_copy(update={"job": moved[trial.job]}) for trial in plan.trials
    )
    return plan.model_copy(update={"trials": trials, "jobs": tuple(plan.jobs[index] for index in order)})


def job_epochs(job: Job, by_id: dict[str, Trial]) -> int:
    """The most epochs that a job trains; those of a training that trials share once. A trial whose epochs are not known
    counts as one."""
    return sum(by_id[trial_id].epochs or 1 for trial_id in job.trials if by_id[trial_id].is_trained)


def model_size(model: Any) -> int:
    """The product of all whole numbers among a model's arguments.

    It says nothing of how long an epoch takes, but of two models of one kind the one with the larger arguments is
    hardly ever the faster.
    """
    if isinstance(model, int) and not isinstance(model, bool):
        return max(model, 1)
    size = 1
    for value in model.values() if isinstance(model, dict) else model if isinstance(model, list) else ():
        size *= model_size(value)
    return size


def num_slots(resources: JobResources, machine: Machine | None, max_concurrent: int | None) -> int | None:
    """How many jobs run at a time: what fits on the machine, at most `max_concurrent`; None where neither is known."""
    fit = None if machine is None else num_fitting(resources, machine)
    known = [number for number in (fit, max_concurrent) if number is not None]
    return min(known, default=None)


def num_fitting(resources: JobResources, machine: Machine) -> int:
    """How many jobs of all their workers an idle machine holds.

    A job's coordinator takes nothing, and its workers get what they need together or not at all (decision 12), so a job
    that waits holds nothing that another one waits for.
    """
    fit = machine.cpus // (resources.cpu * resources.workers)
    if resources.gpu > 0:
        # 0.1 GPUs fit ten times on one, whatever the floats say.
        per_gpu = int(1 / resources.gpu + 1e-6) if resources.gpu < 1 else 1 / resources.gpu
        fit = min(fit, int(machine.gpus * per_gpu / resources.workers + 1e-6))
    return fit
