"""A tracker that writes a run's trials into a Markdown table, a line for each as it ends."""

from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.schemas.plan import Plan
from craftc.schemas.result import Event, TrialFailed, TrialFinished, TrialProposed


class MarkdownLog:
    """A table of a run's trials, in the run's folder.

    Args:
        file: Name of the file.
        metric: The metric of a trial's best epoch that is shown; headline: the one that the conclusion is drawn from.
    """

    def __init__(self, run: TrackedRun, /, file: str = "log.md", metric: str = "headline") -> None:
        self.run, self.path, self.metric = run, run.folder / file, metric

    def start(self, plan: Plan, run_name: str) -> None:
        """The run begins: write the head of the table."""
        self.trials = {trial.id: trial for trial in plan.trials}
        self.metric = plan.headline.name if self.metric == "headline" else self.metric
        self.columns = list(self.run.factors.axes)  # what the trials differ in
        self.path.write_text(f"# {plan.name}, {run_name}\n\n", encoding="utf-8")
        self._row("variant", *self.columns, self.metric)
        self._row(*["---"] * (len(self.columns) + 2))

    def event(self, event: Event) -> None:
        """Something happened: write a line where a trial ended."""
        match event:
            case TrialProposed(trial=trial):  # a search asks for a trial that the plan did not have
                self.trials[trial.id] = trial
            case TrialFinished(result=result):
                self._trial(result.trial, f"{result.best[self.metric]:.4f}")
            case TrialFailed(trial=trial_id, code=code):
                self._trial(trial_id, code)

    def close(self) -> None:
        """The run is over, finished or not. Nothing is open here."""

    def _trial(self, trial_id: str, value: str) -> None:
        trial = self.trials[trial_id]
        values = self.run.factors.values_of(trial)
        self._row(trial.variant, *(values.get(name, "") for name in self.columns), value)

    def _row(self, *cells: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"| {' | '.join(map(str, cells))} |\n")
