"""Keeps what a search has come to while it runs: the values of its points, their parameters and the best so far."""

from collections.abc import Mapping
from statistics import fmean

from craftc.compiler.variants.variant_names import short_names
from craftc.report.search_cells import value_text
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Result


class SearchProgress:
    """The points of a plan's search, by their results. A plan without one has none.

    `starts` are the values of the starting points that the store held before the run, by variant.
    """

    def __init__(self, plan: Plan, starts: Mapping[str, float]) -> None:
        search = plan.search
        self.metric = search.metric if search else None
        self._mode = search.mode if search else "min"
        self._variants = set(search.variants) if search else set()
        names = short_names(set(search.space)) if search else {}
        self._names = {path: names[path] for path in search.space} if search else {}
        self._num_trials = {
            name: sum(name in (trial.variant, *trial.aliases) for trial in plan.trials) for name in self._variants
        }
        self._values: dict[str, dict[tuple[int | None, int], float]] = {}
        self._best: dict[str, tuple[float, str]] = {variant: (value, variant) for variant, value in starts.items()}

    def study_of(self, trial: Trial) -> str | None:
        """The searched variant that the trial is a point of, or its starting point; None of any other trial."""
        if trial.variant in self._variants:
            return trial.variant
        variant, _, number = trial.variant.rpartition("#")
        return variant if number.isdigit() and variant in self._variants else None

    def take(self, trial: Trial, result: Result) -> None:
        """A trial has finished: with the last of its seeds and folds, the point has a value."""
        study = self.study_of(trial)
        if study is None or self.metric is None or self.metric not in result.best:
            return
        values = self._values.setdefault(trial.variant, {})
        values[trial.fold, trial.seed] = result.best[self.metric]
        if len(values) < self._num_trials[study]:
            return
        value, sign = fmean(values.values()), 1 if self._mode == "min" else -1
        if study not in self._best or sign * value < sign * self._best[study][0]:
            self._best[study] = value, trial.variant

    def parameters(self, trial: Trial) -> str:
        """`lr=0.01, batch_size=32`; nothing of a trial that was not proposed."""
        if trial.variant in self._variants or self.study_of(trial) is None:
            return ""
        given = {name: trial.overrides[path] for path, name in self._names.items() if path in trial.overrides}
        return ", ".join(f"{name}={value_text(value)}" for name, value in given.items())

    def best(self, study: str | None) -> str:
        """`best so far 0.9380 (base#28)`, of one study; nothing before a point has a value."""
        if study is None or study not in self._best:
            return ""
        value, variant = self._best[study]
        return f"best so far {value:.4f} ({variant})"

    def bests(self) -> list[str]:
        """That of every study."""
        return [text for study in sorted(self._best) if (text := self.best(study))]


def values_at_start(plan: Plan, store: Store) -> dict[str, float]:
    """The values of the starting points that need no training, since the store has their results; by variant."""
    found: dict[str, float] = {}
    for variant in plan.search.variants if plan.search else ():
        trials = [trial for trial in plan.trials if trial.variant == variant]
        if all(trial.status == "reused" for trial in trials):
            values = [store.result(trial.id).best.get(plan.search.metric) for trial in trials if plan.search]
            known = [value for value in values if value is not None]
            found |= {variant: fmean(known)} if len(known) == len(values) else {}
    return found
