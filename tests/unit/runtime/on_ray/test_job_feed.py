"""A process that dies while it tries a trial: the trial is told of, and not those that it was to train."""

from pathlib import Path

from craftc.runtime.jobs.job_source import PlanSource
from craftc.runtime.jobs.try_first import TryFirst
from craftc.runtime.on_ray.job_feed import JobFeed
from craftc.runtime.on_ray.job_trainable import JobSetting
from craftc.schemas.plan import Headline, Job, Plan, Trial
from craftc.schemas.result import TrialTried

TRIALS = tuple(Trial(id=f"{i:064x}", variant=f"v{i}", seed=0, config={}) for i in range(3))
PLAN = Plan(
    name="x",
    baseline="v0",
    headline=Headline(split="test", metric="accuracy", mode="max"),
    trials=TRIALS,
    jobs=(Job(trials=tuple(trial.id for trial in TRIALS)),),
)


def test_the_trial_that_a_process_dies_of_while_it_is_tried_is_told_of(tmp_path: Path) -> None:
    feed = JobFeed(TryFirst(PlanSource(PLAN), TRIALS), JobSetting(str(tmp_path / "store"), str(tmp_path)))
    folder = tmp_path / "tried"
    folder.mkdir()
    for attempt in ("first", "second"):
        assert isinstance(feed.next_config(attempt), dict)
        # The first of them was tried, and the process is gone in the middle of the second.
        (folder / f"{TRIALS[0].id}.lock").touch()
        (folder / f"{TRIALS[0].id}.passed").touch()
        (folder / f"{TRIALS[1].id}.lock").touch()
        feed.died(attempt, "Traceback\nSegmentation fault")
    feed.finish()
    [told] = list(feed.events())
    assert isinstance(told, TrialTried)
    assert told.failure is not None
    assert (told.trial, told.failure.code) == (TRIALS[1].id, "worker-died")
    assert told.failure.message.endswith("Segmentation fault")
    assert feed.next_config("third") == "FINISHED"
