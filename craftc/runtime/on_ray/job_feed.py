"""Gives Tune one job after another, and collects the events that come back."""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from pydantic import TypeAdapter
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from craftc.runtime.jobs.job_source import JobSource, Work
from craftc.runtime.on_ray.job_trainable import EVENTS, JobSetting, job_config
from craftc.runtime.on_ray.separate_groups import remove_groups
from craftc.runtime.worker.shared_training import trainings_of
from craftc.runtime.worker.try_trials import being_tried
from craftc.schemas.plan import Trial
from craftc.schemas.result import (
    Event,
    TrialFailed,
    TrialFinished,
    TrialProposed,
    TrialPruned,
    TrialStarted,
    TrialTried,
)

MAX_ATTEMPTS = 2
"""How often a job is begun whose process dies."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass(frozen=True)
class Attempt:
    """A job to run, or what is left of it after `number - 1` processes have died of it."""

    work: Work
    number: int = 1


class JobFeed:
    """Jobs that wait, jobs that run, and the events of both. Tune's thread feeds it, the run's thread drains it."""

    def __init__(self, source: JobSource, setting: JobSetting) -> None:
        self._source = source
        self._again: deque[Attempt] = deque()
        self._running: dict[str, Attempt] = {}
        self._cut_short: list[Attempt] = []
        self._begun: set[str] = set()
        self._settled: set[str] = set()
        self._tried: set[str] = set()
        self._setting = setting
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._stop = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks and its searcher in order to restore a run from them, which we never do.
        return {}

    def next_config(self, tune_id: str) -> dict[str, Any] | str | None:
        """The next job's config; FINISHED once every job is over; None while one that runs may yet come back."""
        if self._stop.is_set():
            return str(Searcher.FINISHED)
        attempt = self._next_attempt()
        if attempt is None:
            return None if self._running else str(Searcher.FINISHED)
        self._running[tune_id] = attempt
        return job_config(attempt.work, self._setting)

    def _next_attempt(self) -> Attempt | None:
        if self._again:
            return self._again.popleft()
        work = self._source.next()
        if not isinstance(work, Work):
            return None
        for trial in work.trials:
            # Proposed once more: what ended then has yet to end now.
            self._settled.discard(trial.id)
            if work.is_proposed:
                self._events.put(TrialProposed(trial=trial))
        return Attempt(work)

    def told(self, events: Sequence[Any]) -> None:
        """A worker sent events as plain JSON."""
        for plain in events:
            self._pass_on(EVENT.validate_python(plain))

    def completed(self, tune_id: str) -> None:
        """A job is over, or stopped."""
        attempt = self._running.pop(tune_id, None)
        if attempt is not None:
            if self.is_stopped:
                self._cut_short.append(attempt)
            self._source.ended(attempt.work)

    def died(self, tune_id: str, cause: str) -> None:
        """A job's process is gone: begin again with the trials that have no end yet, or give them up.

        Each training is then a job of its own, so that none fails for what another did to their process. Only the first
        of them can have begun.
        """
        attempt = self._running.pop(tune_id)
        if not self._setting.is_lent:
            remove_groups(Path(self._setting.scratch), (trial.id for trial in attempt.work.trials))
        if self.is_stopped:
            self._cut_short.append(attempt)
        if died_of := self._died_of(attempt):
            message = f"the worker process died {attempt.number} times while it tried the trial"
            for trial in died_of:
                failed = TrialFailed(trial=trial.id, code="worker-died", message=_with(message, cause), traceback=cause)
                self._pass_on(TrialTried(trial=trial.id, failure=failed))
            self._again.clear()  # nothing is trained
            self._source.ended(attempt.work)
            return
        left = [trial for trial in attempt.work.trials if trial.id not in self._settled]
        first, *others = [left] if attempt.work.point is not None else trainings_of(left) or [[]]
        again = [(trials, attempt.number) for trials in others]
        if first and attempt.number < MAX_ATTEMPTS:
            again.insert(0, (first, attempt.number + 1))
        else:
            self._give_up(first, attempt, cause)
        for trials, number in again:
            self._again.append(Attempt(attempt.work.model_copy(update={"trials": tuple(trials)}), number))
        if not again:
            self._source.ended(attempt.work)

    def _give_up(self, trials: Sequence[Trial], attempt: Attempt, cause: str) -> None:
        message = _with(f"the worker process died {attempt.number} times while it ran the trial's job", cause)
        for trial in trials:
            self._pass_on(TrialFailed(trial=trial.id, code="worker-died", message=message, traceback=cause))

    def _died_of(self, attempt: Attempt) -> list[Trial]:
        """The trials that a process was trying when it died, the last time that it is begun."""
        if attempt.number < MAX_ATTEMPTS:
            return []
        to_try = [trial for trial in attempt.work.to_try if trial.id not in self._tried]
        return being_tried(to_try, Path(self._setting.scratch))

    def finish(self, error: BaseException | None = None) -> None:
        """Tune has returned, or raised."""
        if error is None:
            for event in self._source.ending():
                self._events.put(event)
        self._events.put(error)

    def stop(self) -> None:
        """Have Tune end all jobs."""
        self._stop.set()

    def cut_short(self) -> dict[str, bool]:
        """The trials that had no end when everything was stopped, by id; whether each was told to have begun.

        The processes of their jobs hold their locks until they are gone.
        """
        attempts = [*self._cut_short, *list(self._running.values())]
        trials = [trial.id for attempt in attempts for trial in attempt.work.trials]
        return {trial: trial in self._begun for trial in trials if trial not in self._settled}

    @property
    def is_stopped(self) -> bool:
        """Whether Tune is to end."""
        return self._stop.is_set()

    def events(self) -> Iterator[Event]:
        """What comes in, until Tune returns. Raises what Tune raised."""
        while (item := self._events.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _pass_on(self, event: Event) -> None:
        match event:
            case TrialTried(trial=trial):
                self._tried.add(trial)
            case TrialStarted(trial=trial):
                self._begun.add(trial)
            case TrialFinished(result=result):
                self._settled.add(result.trial)
            case TrialFailed(trial=trial) | TrialPruned(trial=trial):
                self._settled.add(trial)
        self._source.told(event)
        self._events.put(event)


class JobSearcher(Searcher):
    """Tune's way of asking for work."""

    def __init__(self, feed: JobFeed) -> None:
        super().__init__()
        self._feed = feed

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """See JobFeed.next_config."""
        return self._feed.next_config(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the scheduler below is told the same, and more."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store is what a run resumes from."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""


class FeedScheduler(FIFOScheduler):
    """Tune's way of telling how jobs end.

    A callback would be told the same: in order to count those of its users, Tune then imports the W&B and MLflow that
    are installed, 3 to 4 s of CPU time.
    """

    def __init__(self, feed: JobFeed) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._feed = feed

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """A job is over."""
        self._feed.completed(trial.trial_id)

    def on_trial_remove(self, tune_controller: Any, trial: TuneTrial) -> None:
        """A job is over that had not begun."""
        self._feed.completed(trial.trial_id)

    def on_trial_error(self, tune_controller: Any, trial: TuneTrial) -> None:
        """A worker died."""
        self._feed.died(trial.trial_id, _cause(trial))


class FeedStopper(Stopper):
    """Tune's way of passing on every result, and of asking whether to go on."""

    def __init__(self, feed: JobFeed) -> None:
        self._feed = feed

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Events came. Whether that trial is to stop: never for them."""
        self._feed.told(result.get(EVENTS, ()))
        return False

    def stop_all(self) -> bool:
        """Whether everything is to stop."""
        return self._feed.is_stopped


def _with(message: str, cause: str) -> str:
    """The message with the last line of what Ray says."""
    last_line = cause.strip().rpartition("\n")[2]
    return f"{message}: {shorten(last_line, 160)}" if last_line else message


def _cause(trial: TuneTrial) -> str:
    """What Ray says of a failed trial. From the driver's own file, for `Trial.get_error` reads another folder."""
    return Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else ""
