"""What must hold of a plan after every pass; run between passes in the tests."""

from craftc.schemas.plan import Plan, Trial


def verify(plan: Plan) -> None:
    """Raise AssertionError where a plan contradicts itself."""
    ids = [trial.id for trial in plan.trials]
    names = [(name, trial.seed) for trial in plan.trials for name in (trial.variant, *trial.aliases)]
    assert len(set(names)) == len(names), "a variant and seed stands for two trials"
    assert any(plan.baseline == name for name, _ in names), "the baseline is no variant"
    placed = [trial_id for job in plan.jobs for trial_id in job.trials]
    assert len(set(placed)) == len(placed), "a trial is in two jobs"
    assert set(placed) <= set(ids), "a job holds a trial that is not in the plan"
    for trial in plan.trials:
        if trial.shares is not None:
            _verify_shared(trial, plan.trial(trial.shares), plan)
        if trial.job is not None:
            assert trial.status == "new", "a reused trial is in a job"
            assert trial.id in plan.jobs[trial.job].trials, "a trial's job does not hold it"


def _verify_shared(trial: Trial, leader: Trial, plan: Plan) -> None:
    assert trial.status == leader.status == "new", "a reused trial shares a training"
    assert trial.id != leader.id, "a trial leads itself"
    assert leader.shares is None, "a trial that leads is led by another"
    assert trial.stages is not None
    assert leader.stages is not None
    assert trial.stages.train == leader.stages.train, "a trial shares the training of another"
    assert trial.epochs <= leader.epochs, "a trial is longer than the one that it is read off"
    assert trial.job == leader.job, "trials that share a training are in two jobs"
