"""The state of runs and submissions, by what is on disk, which processes live and what the clusters answer."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from craftc.report.budget import find_budget, read_budget
from craftc.report.read_run import RunUnreadableError, read_run, read_withheld
from craftc.report.read_search import read_search
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.search.points_ended import points_ended
from craftc.runtime.store.driver_process import Driver, is_alive, is_here, read_driver
from craftc.runtime.store.run_folder import runs_of
from craftc.runtime.store.signs_of_life import HANGS_S, silent_s
from craftc.runtime.submitting.submissions import read_submissions
from craftc.schemas.submission import Submission

if TYPE_CHECKING:
    from craftc.runtime.submitting.cluster import Cluster

UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class RunState:
    """One run. `state`: running, finished, some failed, budget spent, interrupted, unreadable, or `on HOST` where only
    that machine knows whether it still runs. `left_out`: what was not begun for lack of budget. Of a search,
    `num_points` of the `num_points_asked` that it is to propose have ended. `silent_s`: how long ago one that is
    running wrote anything.
    """

    name: str
    path: Path
    state: str
    num_finished: int = 0
    num_failed: int = 0
    num_trials: int = 0
    left_out: str = ""
    driver: Driver | None = None
    num_points: int = 0
    num_points_asked: int = 0
    silent_s: float | None = None

    @property
    def told(self) -> str:
        """The state, and how long it has been silent where it may hang."""
        if self.silent_s is None or self.silent_s < HANGS_S:
            return self.state
        return f"{self.state}, silent for {timedelta(seconds=int(self.silent_s))}"


@dataclass
class Clusters:
    """The clusters that submissions were sent to; each is opened once."""

    _opened: dict[tuple[str, str | None, str, str], "Cluster | BackendError"] = field(default_factory=dict)

    def state(self, submission: Submission) -> tuple[str, str]:
        """The state in a word, and why in a sentence where there is something to say."""
        try:
            state = self.of(submission).status(submission.job)
        except BackendError as error:
            return UNREACHABLE, error.message
        return state.state, state.message

    def of(self, submission: Submission) -> "Cluster":
        """The cluster of a submission. Raises BackendError."""
        # Lazily: a cluster's client can take a second to import.
        from craftc.runtime.submitting.open_cluster import cluster_of

        key = submission.cluster, submission.address, submission.runs_dir, submission.project
        if key not in self._opened:
            try:
                self._opened[key] = cluster_of(submission)
            except BackendError as error:
                self._opened[key] = error
        known = self._opened[key]
        if isinstance(known, BackendError):
            raise known
        return known


def all_runs(runs_dir: Path) -> list[Path]:
    """Every run beneath the folder, by name and then by time."""
    return [run for folder in sorted(runs_dir.glob("*")) if folder.is_dir() for run in runs_of(folder)]


def run_state(path: Path, submissions: dict[str, str]) -> RunState:
    """The state of the run in a folder; `submissions` is what is known of those, id to state."""
    name = f"{path.resolve().parent.name}/{path.name}"
    driver = read_driver(path)
    try:
        plan, results, failures = read_run(path)
        budget = find_budget(plan, results, read_budget(path))
        search = read_search(path)
    except RunUnreadableError:
        return RunState(name, path, "unreadable", driver=driver)
    points = [point for study in search.summary.studies for point in study.points] if search else []
    withheld = read_withheld(path)
    numbers = len(results), len(failures), len(plan.trials) - len(withheld - results.keys())
    asked = 0 if plan.search is None else plan.search.trials * len(plan.search.variants)
    ended = sum(point.kind == "search" and point.state != "unfinished" for point in points)
    ended = ended if search else points_ended(path / "study.db") if asked else 0
    state = _state(numbers, driver, submissions, is_searched=ended >= asked)
    silent = None
    if state == "running" and driver is not None and is_here(driver):
        unfinished = [trial.id for trial in plan.trials if trial.id not in results]
        silent = silent_s(path, path.resolve().parent.parent / "store", unfinished)
    if state == "finished" and any(point.state == "failed" for point in points):
        state = "some failed"
    if budget and state in ("finished", "interrupted"):
        state = "budget spent"
    return RunState(
        name,
        path,
        state,
        *numbers,
        left_out="".join(finding.text for finding in budget),
        driver=driver,
        num_points=ended,
        num_points_asked=asked,
        silent_s=silent,
    )


def _state(
    numbers: tuple[int, int, int], driver: Driver | None, submissions: dict[str, str], *, is_searched: bool
) -> str:
    num_finished, num_failed, num_trials = numbers
    here = driver is not None and is_here(driver)
    if driver is not None and here and is_alive(driver):
        return "running"
    if num_finished + num_failed == num_trials and is_searched:
        return "some failed" if num_failed else "finished"
    if driver is None or here:
        return "interrupted"
    known = submissions.get(driver.submission or "")
    if known in (None, UNREACHABLE):
        return f"on {driver.host}"
    return "running" if known == "running" else "interrupted"


def submission_states(runs_dir: Path, clusters: Clusters) -> list[tuple[Submission, str, str]]:
    """Every submission with its state, and why."""
    return [(submission, *clusters.state(submission)) for submission in read_submissions(runs_dir)]
