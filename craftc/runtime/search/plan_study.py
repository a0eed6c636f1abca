"""A plan and the store in; its finished trials as points of the Optuna study of the run out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from craftc.runtime.search.dimension import Dimension, label_of
from craftc.runtime.search.study_file import FinishedPoint, PlanStudy, add_points, is_known, recorded, study_name
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial

MAX_CHOICES = 100
"""Every point holds every choice of its factors: a factor of more values, all numbers, is stored as their range."""


def record_plan(database: Path, plan: Plan, store: Store) -> None:
    """Write the plan's finished trials that no study has yet: a trial of Optuna per variant, with its factors.

    Those of a search stand in the baseline's study, behind all that it proposed, so that it was not misled by them.
    """
    metric, mode = _watched(plan)
    space = {path: _factor(plan, path) for path in plan.factors}
    if plan.search is not None:
        space |= {path: Dimension(form) for path, form in plan.search.space.items()}
    study = PlanStudy(study_name(plan.name, plan.baseline), metric, mode, space)
    if is_known(database):
        known = recorded(database, study.name)
        groups = [trials for trials in _finished(plan, store) if tuple(trial.id for trial in trials) not in known]
        add_points(database, study, [_point(plan, trials, store, study) for trials in groups])
    else:
        # Lazily: Optuna and its database layer take half a second to import.
        from craftc.runtime.search import study as by_optuna

        by_optuna.add_points(database, study, [_point(plan, trials, store, study) for trials in _finished(plan, store)])


def _finished(plan: Plan, store: Store) -> Iterator[list[Trial]]:
    """The finished trials of each variant that no search has begun with."""
    searched = set(plan.search.variants) if plan.search else set()
    is_finished = store.finished_of_many()
    groups: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        if trial.variant not in searched and is_finished(trial.id):
            groups.setdefault(trial.variant, []).append(trial)
    yield from groups.values()


def _watched(plan: Plan) -> tuple[str, str]:
    """The metric of a plan's study: what is searched for, or else what selects the best epoch, or a loss."""
    if plan.search is not None:
        return plan.search.metric, plan.search.mode
    select = plan.trials[0].config["evaluation"]["select"]
    return ("train/loss", "min") if select == "none" else (select["metric"], select["mode"])


def _factor(plan: Plan, path: str) -> Dimension:
    """Every value that the plan's trials give a path."""
    given = [plan.factors[path], *(trial.overrides[path] for trial in plan.trials if path in trial.overrides)]
    values = list({label_of(value): value for value in given}.values())
    if len(values) > MAX_CHOICES and all(type(value) in (int, float) for value in values):
        kind = "int" if all(type(value) is int for value in values) else "uniform"
        return Dimension({kind: [min(values), max(values)]})
    return Dimension({"choice": values})


def _point(plan: Plan, trials: Sequence[Trial], store: Store, study: PlanStudy) -> FinishedPoint:
    values = _values(trials, store, study.metric)
    is_whole = len(values) == len(trials)
    first = trials[0]
    given = {path: range_.label(first.overrides.get(path, plan.factors[path])) for path, range_ in study.space.items()}
    return FinishedPoint(
        value=sum(values) / len(values) if is_whole else None,
        params={path: label for path, label in given.items() if label is not None},
        reported=_reported(trials, values, store, study.metric) if is_whole else {},
        attributes={
            "kind": "grid" if first.overrides else "start",
            "variant": first.variant,
            "trials": [trial.id for trial in trials],
            "epochs_planned": first.epochs * len(trials),
            "state": "finished" if is_whole else "failed",
        },
    )


def _values(trials: Sequence[Trial], store: Store, metric: str) -> list[float]:
    """The metric of each trial that measured it."""
    results = [store.result(trial.id) for trial in trials]
    return [result.best[metric] for result in results if metric in result.best]


def _reported(trials: Sequence[Trial], values: Sequence[float], store: Store, metric: str) -> Mapping[int, float]:
    """What the trials would have reported, had they been a search's: see `jobs.decide.Reporter`."""
    reported: dict[int, float] = {}
    for index, trial in enumerate(trials):
        before = sum(values[:index])
        for record in store.history(trial.id):
            if metric in record.metrics:
                reported[index * trials[0].epochs + record.epoch] = (before + record.metrics[metric]) / (index + 1)
    return reported
