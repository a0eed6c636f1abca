"""New trials become jobs, each with the resources that it needs."""

from dataclasses import dataclass, field

from craftc.schemas.plan import Job, JobResources, Plan, Trial
from craftc.schemas.spec import Spec

JOBS_PER_SLOT = 8
"""The longest job of several trainings is at most this part of what each slot has to do."""
MOST_TRAININGS = 32
"""Of one job. A job costs some hundredths of a second, which is then a thousandth for each training."""


def job_resources(spec: Spec) -> JobResources:
    """What each job of a spec's plan is given."""
    given = spec.resources
    return JobResources(workers=given.workers, cpu=given.cpus, gpu=given.gpus)


def pack(plan: Plan, resources: JobResources, num_slots: int | None = None) -> Plan:
    """A job for each training: a trial, or those that share one. All seeds of a variant that a search starts from are
    one job, for what it judges is their mean, epoch by epoch.

    With `num_slots`, how many jobs run at a time, short trainings of one group are one job, one after another. It takes
    no more epochs than a JOBS_PER_SLOT-th of what each slot has to do: were epochs equally long, and the longest job
    begun first, the last job would end at most that part later than with a job for each training.
    A plan with a budget keeps a job for each, for a run ends between jobs.
    """
    index_of: dict[str, int] = {}
    jobs = _jobs(plan, num_slots if plan.budget_hours is None else None)
    for index, job in enumerate(jobs):
        index_of |= dict.fromkeys((trial.id for trial in job.trials), index)
    trials = tuple(
        trial.model_copy(update={"job": index_of[trial.id]}) if trial.id in index_of else trial for trial in plan.trials
    )
    packed = tuple(Job(trials=tuple(trial.id for trial in job.trials), resources=resources) for job in jobs)
    return plan.model_copy(update={"trials": trials, "jobs": packed})


@dataclass
class _Job:
    """A job that may take more trainings."""

    trials: list[Trial] = field(default_factory=list)
    num_trainings: int = 0
    num_epochs: int = 0

    def add(self, training: list[Trial]) -> None:
        self.trials += training
        self.num_trainings += 1
        self.num_epochs += _num_epochs(training)


def _jobs(plan: Plan, num_slots: int | None) -> list[_Job]:
    """In the order of the first trial of each."""
    searched = set(plan.search.variants) if plan.search else set()
    trainings: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        if trial.status == "new":
            name = trial.variant if trial.variant in searched else trial.shares or trial.id
            trainings.setdefault(name, []).append(trial)
    total = sum(map(_num_epochs, trainings.values()))
    most_epochs = total / (num_slots * JOBS_PER_SLOT) if num_slots else 0
    jobs: list[_Job] = []
    latest: dict[int, _Job] = {}
    for name, training in trainings.items():
        group = None if name in searched else training[0].group
        job = latest.get(group) if group is not None else None
        if job is None or not _has_room(job, training, most_epochs):
            job = _Job()
            jobs.append(job)
        if group is not None:
            latest[group] = job
        job.add(training)
    return jobs


def _has_room(job: _Job, training: list[Trial], most_epochs: float) -> bool:
    return job.num_trainings < MOST_TRAININGS and job.num_epochs + _num_epochs(training) <= most_epochs


def _num_epochs(trials: list[Trial]) -> int:
    """The most that they train; those of a shared training once."""
    return sum(trial.epochs for trial in trials if trial.shares is None)
