"""Runs Tune until its feed of jobs has ended."""

from pathlib import Path

from ray import tune

from craftc.runtime.on_ray.job_feed import FeedScheduler, FeedStopper, JobFeed, JobSearcher
from craftc.runtime.on_ray.job_trainable import RayJob
from craftc.runtime.on_ray.ray_errors import ray_errors_told


def tune_jobs(feed: JobFeed, folder: Path, max_concurrent: int | None) -> None:
    """Run every job of the feed, at most `max_concurrent` at once, and tell the feed the end, whatever it is.

    With a `max_concurrent`, so many processes are started at once; without, each when the one before has begun.
    """
    try:
        with ray_errors_told():
            _tuner(feed, folder, max_concurrent).fit()
    except BaseException as error:
        # Raised again in the thread that reads the events.
        feed.finish(error)
    else:
        feed.finish()


def _tuner(feed: JobFeed, folder: Path, max_concurrent: int | None) -> tune.Tuner:
    return tune.Tuner(
        RayJob,
        tune_config=tune.TuneConfig(
            search_alg=JobSearcher(feed),
            scheduler=FeedScheduler(feed),
            # As many as the searcher has; it says when there are no more.
            num_samples=-1,
            max_concurrent_trials=max_concurrent,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="jobs",
            storage_path=str(folder),
            verbose=0,
            stop=FeedStopper(feed),
            # A trial's state is in the store; Tune would ask the worker for a checkpoint at the end of each job.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=0),
        ),
    )
