"""Jobs carry what is still to be tried; after a failure there are no more."""

from craftc.runtime.jobs.job_source import PlanSource, Work
from craftc.runtime.jobs.try_first import TryFirst, try_first
from craftc.schemas.plan import Headline, Job, Plan, Trial
from craftc.schemas.result import TrialFailed, TrialTried

TRIALS = tuple(Trial(id=f"{i:064x}", variant=f"v{i}", seed=0, config={}) for i in range(3))
PLAN = Plan(
    name="x",
    baseline="v0",
    headline=Headline(split="test", metric="accuracy", mode="max"),
    trials=TRIALS,
    jobs=tuple(Job(trials=(trial.id,)) for trial in TRIALS),
)


def next_job(source: TryFirst) -> Work:
    work = source.next()
    assert isinstance(work, Work)
    return work


def test_without_anything_to_try_the_source_stays_as_it_is() -> None:
    source = PlanSource(PLAN)
    assert try_first(source, ()) is source


def test_every_job_carries_what_has_not_been_tried_yet() -> None:
    source = TryFirst(PlanSource(PLAN), TRIALS[:2])
    assert next_job(source).to_try == TRIALS[:2]
    source.told(TrialTried(trial=TRIALS[0].id))
    assert next_job(source).to_try == TRIALS[1:2]
    source.told(TrialTried(trial=TRIALS[1].id))
    assert next_job(source).to_try == ()
    assert source.next() is None


def test_after_a_failure_there_are_no_more_jobs() -> None:
    source = TryFirst(PlanSource(PLAN), TRIALS)
    next_job(source)
    source.told(TrialTried(trial=TRIALS[1].id, failure=TrialFailed(trial=TRIALS[1].id, code="x", message="no")))
    assert source.next() is None
    assert source.ending() == ()
