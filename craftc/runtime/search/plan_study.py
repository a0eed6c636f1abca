"""The Optuna study of a plan's own trials: each variant is a point of it, with the plan's factors as parameters."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState, create_trial

from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.study import distribution, open_storage, open_study, study_name
from craftc.runtime.store.store import Store
from craftc.schemas.choice import choice_label
from craftc.schemas.plan import Plan, Trial

MAX_CHOICES = 100
"""Every point holds every choice of its factors: a factor of more values, all numbers, is stored as their range."""


class PlanStudy:
    """The study, made if it is new. Opened again on the same file, it adds only what is not there yet.

    The points of a plan with a search are added to the baseline's study. They must follow all that the sampler
    proposed, so that they do not mislead it.
    """

    def __init__(self, database: Path, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._metric, mode = _watched(plan)
        self._space = {path: _factor(plan, path) for path in plan.factors}
        if plan.search is not None:
            self._space |= {path: Dimension(form) for path, form in plan.search.space.items()}
        self._distributions = {path: distribution(dimension) for path, dimension in self._space.items()}
        self._storage = open_storage(database)
        self._study = open_study(self._storage, study_name(plan.name, plan.baseline), self._metric, mode)
        self._added = {tuple(point.user_attrs.get("trials", ())) for point in self._study.get_trials(deepcopy=False)}
        self._variants = variants_beside_search(plan)
        self._whole: set[str] = set()

    def add(self, variant: str) -> None:
        """Add a variant if all its trials are finished."""
        self._add(variant, self._store.is_finished, in_part=False)

    def add_rest(self, is_abandoned: Callable[[], bool], failed: Collection[str] = ()) -> bool:
        """Add all finished trials that no point has yet. A variant of which others are not finished, or are among the
        `failed`, is a failed point: the mean of those that survived would be another thing.

        Returns whether every variant is in the study with all its trials. `is_abandoned` ends it between two points.
        """
        is_finished = self._store.finished_of_many()
        for variant in self._variants:
            if is_abandoned():
                return False
            self._add(variant, is_finished, in_part=True, failed=failed)
        return len(self._whole) == len(self._variants)

    def close(self) -> None:
        """Close the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _add(
        self, variant: str, is_finished: Callable[[str], bool], *, in_part: bool, failed: Collection[str] = ()
    ) -> None:
        trials = self._variants.get(variant)
        if trials is None or variant in self._whole:
            return
        finished = [trial for trial in trials if is_finished(trial.id)]
        is_whole = len(finished) == len(trials)
        ids = tuple(trial.id for trial in finished)
        if finished and (is_whole or in_part) and ids not in self._added:
            num_failed = sum(trial.id in failed for trial in trials)
            lacking = "" if is_whole else f"{len(finished)} of {len(trials)} trials finished, {num_failed} failed"
            self._study.add_trial(self._point(finished, len(trials), lacking))
            self._added.add(ids)
        if is_whole:
            self._whole.add(variant)

    def _point(self, trials: Sequence[Trial], num_planned: int, lacking: str) -> FrozenTrial:
        """The point of a variant's finished trials; `lacking` says which are missing of the `num_planned`."""
        values = _values(trials, self._store, self._metric)
        is_measured = len(values) == len(trials) == num_planned
        reason = lacking or ("" if is_measured else f"{self._metric} was not measured in every trial")
        first, factors = trials[0], self._plan.factors
        given = {path: of.label(first.overrides.get(path, factors[path])) for path, of in self._space.items()}
        params = {path: label for path, label in given.items() if label is not None}
        return create_trial(
            state=TrialState.COMPLETE if is_measured else TrialState.FAIL,
            value=sum(values) / len(values) if is_measured else None,
            params=params,
            distributions={path: self._distributions[path] for path in params},
            intermediate_values=_reported(trials, values, self._store, self._metric) if is_measured else {},
            user_attrs={
                "kind": "grid" if first.overrides else "start",
                "variant": first.variant,
                "trials": [trial.id for trial in trials],
                "epochs_planned": (first.epochs or 0) * num_planned,
                "state": "finished" if is_measured else "failed",
                **({"reason": reason} if reason else {}),
            },
        )


def variants_beside_search(plan: Plan) -> dict[str, list[Trial]]:
    """The plan's trials by variant, but those that a search begins with: they are in its study already."""
    searched = set(plan.search.variants) if plan.search else set()
    variants: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        if trial.variant not in searched:
            variants.setdefault(trial.variant, []).append(trial)
    return variants


def _watched(plan: Plan) -> tuple[str, str]:
    """The metric of a plan's study: what is searched for, or else what selects the best epoch, or a loss."""
    if plan.search is not None:
        return plan.search.metric, plan.search.mode
    select = plan.trials[0].config["evaluation"]["select"]
    return ("train/loss", "min") if select == "none" else (select["metric"], select["mode"])


def _factor(plan: Plan, path: str) -> Dimension:
    """Every value that the plan's trials give a path."""
    given = [plan.factors[path], *(trial.overrides[path] for trial in plan.trials if path in trial.overrides)]
    values = list({choice_label(value): value for value in given}.values())
    if len(values) > MAX_CHOICES and all(type(value) in (int, float) for value in values):
        kind = "int" if all(type(value) is int for value in values) else "uniform"
        return Dimension({kind: [min(values), max(values)]})
    return Dimension({"choice": values})


def _values(trials: Sequence[Trial], store: Store, metric: str) -> list[float]:
    """The metric of each trial that measured it."""
    results = [store.result(trial.id) for trial in trials]
    return [result.best[metric] for result in results if metric in result.best]


def _reported(trials: Sequence[Trial], values: Sequence[float], store: Store, metric: str) -> dict[int, float]:
    """What the trials would have reported, had they been a search's: see `jobs.decide.Reporter`."""
    reported: dict[int, float] = {}
    epochs, num_before = trials[0].epochs, 0
    for index, trial in enumerate(trials):
        before = sum(values[:index])
        history = store.history(trial.id)
        for record in history:
            if metric in record.metrics:
                reported[num_before + record.epoch] = (before + record.metrics[metric]) / (index + 1)
        num_before += len(history) if epochs is None else epochs
    return reported
