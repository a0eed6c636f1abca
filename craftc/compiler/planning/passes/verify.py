"""What must hold of a plan after every pass; run between passes in the tests."""

from collections import defaultdict
from itertools import pairwise

from craftc.compiler.planning.passes.place import job_epochs
from craftc.schemas.plan import Job, Plan, Trial
from craftc.schemas.terms import objective_kind


def verify(plan: Plan) -> None:
    """Raise AssertionError where a plan contradicts itself: after folding, and after each pass that follows."""
    by_id = {trial.id: trial for trial in plan.trials}
    assert len(by_id) == len(plan.trials), "a trial is there twice"
    names = [(name, trial.seed, trial.fold) for trial in plan.trials for name in (trial.variant, *trial.aliases)]
    assert len(set(names)) == len(names), "a variant, seed and fold stands for two trials"
    assert any(plan.baseline == name for name, *_ in names), "the baseline is no variant"
    for trial in plan.trials:
        assert trial.overrides.keys() <= plan.factors.keys(), "a trial varies what is no factor"
        if trial.status == "reused":
            assert (trial.job, trial.shares, trial.group) == (None, None, None), "a reused trial is trained"
            assert trial.read_off is None, "a reused trial is measured again"
        if trial.read_off is not None:
            assert (trial.shares, trial.group) == (None, None), "a trial that is read off is trained with others"
        if trial.shares is not None:
            _verify_shared(trial, by_id[trial.shares], plan)
    _verify_groups(plan, by_id)
    if plan.jobs:
        _verify_jobs(plan, by_id)
    else:
        assert all(trial.job is None for trial in plan.trials), "a trial is in a job that is not there"


def verify_placed(plan: Plan) -> None:
    """Raise AssertionError where the jobs of a finished plan are not all there, or not the longest first."""
    verify(plan)
    assert bool(plan.jobs) == any(trial.status == "new" for trial in plan.trials), "new trials have no job"
    by_id = {trial.id: trial for trial in plan.trials}
    lengths = [job_epochs(job, by_id) for job in plan.jobs]
    assert all(before >= after for before, after in pairwise(lengths)), "a job is begun before a longer one"


def _verify_shared(trial: Trial, leader: Trial, plan: Plan) -> None:
    assert trial.status == leader.status == "new", "a reused trial shares a training"
    assert trial.id != leader.id, "a trial leads itself"
    assert leader.shares is None, "a trial that leads is led by another"
    assert trial.stages is not None
    assert leader.stages is not None
    assert trial.stages.train == leader.stages.train, "a trial shares the training of another"
    assert (trial.epochs or 0) <= (leader.epochs or 0), "a trial is longer than the one that it is read off"
    assert trial.job == leader.job, "trials that share a training are in two jobs"
    assert trial.group == leader.group, "trials that share a training are in two groups"
    searched = set(plan.search.variants) if plan.search else set()
    for each in (trial, leader):
        assert searched.isdisjoint((each.variant, *each.aliases)), "a trial that a study follows shares a training"


def _verify_groups(plan: Plan, by_id: dict[str, Trial]) -> None:
    groups: dict[int, list[Trial]] = defaultdict(list)
    for trial in plan.trials:
        if trial.group is not None:
            groups[trial.group].append(trial)
    assert set(groups) == set(range(len(groups))), "groups are not counted from 0"
    for trials in groups.values():
        assert sum(trial.shares is None for trial in trials) > 1, "a group of one training"
        assert len({_batched_by(trial) for trial in trials}) == 1, "a group has steps of two kinds"


def _batched_by(trial: Trial) -> tuple[object, ...]:
    """Some of what trials of a batch have in common, whatever components say of themselves."""
    config = trial.config
    kinds = (config["model"]["kind"], objective_kind(config["objective"]), config["training"]["optimizer"]["kind"])
    prepared = (trial.stages.prepare, trial.stages.features) if trial.stages else None
    return (prepared, str(config["data"]["augment"]), config["training"]["batch_size"], *kinds)


def _verify_jobs(plan: Plan, by_id: dict[str, Trial]) -> None:
    placed = [trial_id for job in plan.jobs for trial_id in job.trials]
    assert len(set(placed)) == len(placed), "a trial is in two jobs"
    assert set(placed) == {t.id for t in plan.trials if t.status == "new"}, "jobs hold other trials than the new ones"
    assert len({job.resources.model_dump_json() for job in plan.jobs}) == 1, "jobs ask for different resources"
    searched = set(plan.search.variants) if plan.search else set()
    for index, job in enumerate(plan.jobs):
        assert job.trials, "a job is empty"
        for trial_id in job.trials:
            assert by_id[trial_id].job == index, "a trial's job is another than the one that holds it"
        assert len({plan.look_of(by_id[trial_id]) for trial_id in job.trials}) == 1, "a job has trials of two looks"
        _verify_job(job, by_id, searched)
    for variant in searched:
        jobs = {trial.job for trial in plan.trials if trial.variant == variant and trial.status == "new"}
        assert len(jobs) <= 1, "the seeds of a searched variant are in two jobs"


def _verify_job(job: Job, by_id: dict[str, Trial], searched: set[str]) -> None:
    """What trials are in one job for."""
    trials = [by_id[trial_id] for trial_id in job.trials]
    variants = {trial.variant for trial in trials}
    if variants & searched:
        assert len(variants) == 1, "a job of a searched variant holds another one's trials"
        return
    trainings = {trial.shares or trial.id for trial in trials}
    groups = {trial.group for trial in trials}
    assert len(groups) == 1, "a job holds trials of two groups"
    assert len(trainings) == 1 or None not in groups, "a job holds several trainings of no group"
    assert not job.batched or job.resources.workers == 1, "a batch is trained by several workers"
