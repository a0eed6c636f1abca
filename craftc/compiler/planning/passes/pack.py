"""New trials become jobs, each with the resources that it needs."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import Job, JobResources, Plan, Trial
from craftc.schemas.spec import Experiment

JOBS_PER_SLOT = 8
"""The longest job of several trainings is at most this part of what each slot has to do."""
MOST_TRAININGS = 32
"""Of one job. A job costs some hundredths of a second, which is then a thousandth for each training."""
LEAST_BATCH = 4
"""Trainings of a group for each slot: with fewer, each slot's batch would be too small to gain much."""
MOST_BATCH = {"cpu": 16, "gpu": 64}
"""Trainings of a batch, before it is known how many are best."""
WAITING = 2
"""Trainings of a job for each of its batch: who ends early makes room for one that waits."""

FindingOf = Callable[[Trial, JobResources], BatchFinding | None]
"""What is known of training a trial's group as one batch, in a job that is given so much."""


def nothing_known(trial: Trial, resources: JobResources) -> BatchFinding | None:
    """No group was ever tried."""
    return None


def job_resources(spec: Experiment) -> JobResources:
    """What each job of a spec's plan is given."""
    given = spec.resources
    return JobResources(workers=given.workers, cpu=given.cpus, gpu=given.gpus)


def pack(
    plan: Plan, resources: JobResources, num_slots: int | None = None, finding_of: FindingOf = nothing_known
) -> Plan:
    """A job for each training: a trial, or those that share one. All seeds of a variant that a search starts from are
    one job, for what it judges is their mean, epoch by epoch.

    With `num_slots`, how many jobs run at a time, short trainings of one group are one job, one after another. It takes
    no more epochs than a JOBS_PER_SLOT-th of what each slot has to do: were epochs equally long, and the longest job
    begun first, the last job would end at most that part later than with a job for each training.
    A plan with a budget keeps a job for each, for a run ends between jobs. Where seeds are added until variants are
    decided, no job has trials of two looks.

    A group large enough to give every slot a batch, of which a try did not show that batches are no use, is dealt
    out evenly to jobs of a batch and those that wait for room in it.
    """
    index_of: dict[str, int] = {}
    slots = num_slots if plan.budget_hours is None else None
    batches = {} if not slots else _batch_jobs(plan, slots, resources, finding_of)
    jobs = _jobs(plan, slots, batches)
    for index, job in enumerate(jobs):
        index_of |= dict.fromkeys((trial.id for trial in job.trials), index)
    trials = tuple(
        trial.model_copy(update={"job": index_of[trial.id]}) if trial.id in index_of else trial for trial in plan.trials
    )
    packed = tuple(
        Job(trials=tuple(trial.id for trial in job.trials), batched=job.is_batched, resources=resources) for job in jobs
    )
    return plan.model_copy(update={"trials": trials, "jobs": packed})


@dataclass
class _Job:
    """A job that may take more trainings."""

    trials: list[Trial] = field(default_factory=list)
    num_trainings: int = 0
    num_epochs: int = 0
    is_batched: bool = False

    def add(self, training: list[Trial]) -> None:
        self.trials += training
        self.num_trainings += 1
        self.num_epochs += _num_epochs(training)


def _trainings(plan: Plan) -> dict[str, list[Trial]]:
    """The new trials by training, or by the searched variant that they are the start of."""
    searched = set(plan.search.variants) if plan.search else set()
    trainings: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        if trial.status == "new":
            name = trial.variant if trial.variant in searched else trial.shares or trial.id
            trainings.setdefault(name, []).append(trial)
    return trainings


def _batch_jobs(plan: Plan, slots: int, resources: JobResources, finding_of: FindingOf) -> dict[str, _Job]:
    """The job of each training whose group is dealt out for batches, by the training's name."""
    searched = set(plan.search.variants) if plan.search else set()
    groups: dict[tuple[int, int], list[str]] = {}
    trainings = _trainings(plan)
    for name, training in trainings.items():
        if training[0].group is not None and name not in searched:
            groups.setdefault((training[0].group, plan.look_of(training[0])), []).append(name)
    job_of: dict[str, _Job] = {}
    for names in groups.values():
        if len(names) < max(LEAST_BATCH * slots, 2):
            continue
        found = finding_of(trainings[names[0]][0], resources)
        usual = MOST_BATCH["gpu" if resources.gpu > 0 else "cpu"]
        per_slot = -(-len(names) // slots)
        is_open = found is None or found.leaves_open(min(usual, per_slot))
        size = usual if found is None or is_open else found.best_size(per_slot)
        if size == 1:
            continue
        num_jobs = -(-len(names) // (size * WAITING * slots)) * slots
        dealt = _dealt({name: _num_epochs(trainings[name]) for name in names}, num_jobs, size * WAITING)
        for job in dealt.values():
            job.is_batched = not is_open
        job_of |= dealt
    return job_of


def _dealt(lengths: dict[str, int], num_jobs: int, most: int) -> dict[str, _Job]:
    """The job of each of these trainings, at most so many in one: the longest first, each to the shortest job yet."""
    jobs = [(0, number, 0) for number in range(num_jobs)]
    made = [_Job() for _ in jobs]
    job_of: dict[str, _Job] = {}
    for name in sorted(lengths, key=lengths.__getitem__, reverse=True):
        length, number, size = heapq.heappop(jobs)
        job_of[name] = made[number]
        if size + 1 < most:
            heapq.heappush(jobs, (length + lengths[name], number, size + 1))
    return job_of


def _jobs(plan: Plan, num_slots: int | None, batches: dict[str, _Job]) -> list[_Job]:
    """In the order of the first trial of each; `batches` has the jobs that some trainings are in already."""
    searched = set(plan.search.variants) if plan.search else set()
    trainings = _trainings(plan)
    total = sum(map(_num_epochs, trainings.values()))
    most_epochs = total / (num_slots * JOBS_PER_SLOT) if num_slots else 0
    jobs: list[_Job] = []
    latest: dict[tuple[int, int], _Job] = {}
    for name, training in trainings.items():
        number = None if name in searched else training[0].group
        group = None if number is None else (number, plan.look_of(training[0]))
        job = batches.get(name)
        if job is None:
            job = latest.get(group) if group is not None else None
            if job is None or not _has_room(job, training, most_epochs):
                job = _Job()
            if group is not None:
                latest[group] = job
        if not job.trials:
            jobs.append(job)
        job.add(training)
    return jobs


def _has_room(job: _Job, training: list[Trial], most_epochs: float) -> bool:
    return job.num_trainings < MOST_TRAININGS and job.num_epochs + _num_epochs(training) <= most_epochs


def _num_epochs(trials: list[Trial]) -> int:
    """The most that they train; those of a shared training once, those that are read off not at all. A trial whose
    epochs are not known counts as one, so that those of one plan are equally long."""
    return sum(trial.epochs or 1 for trial in trials if trial.is_trained)
