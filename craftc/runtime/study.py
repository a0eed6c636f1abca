"""The Optuna studies of a run, in one SQLite file that Optuna's own tools open. With the samplers and pruners of
`components/`, the only file that imports optuna."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from craftc.components.build import build
from craftc.runtime.store import Store
from craftc.schemas.plan import Plan, SearchPlan, Trial
from craftc.schemas.search import PointState, SearchPoint, SearchSummary, StudySummary

LOCK_TIMEOUT_S = 60.0
MIN_POINTS_FOR_IMPORTANCES = 4

_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "infeasible": TrialState.FAIL,
}


class OptunaStudies:
    """See Studies. Opened again on the same file, it goes on with what is there."""

    def __init__(self, database: Path, name: str, search: SearchPlan) -> None:
        """`name`: the experiment's, which the studies are named after."""
        self._space = {path: Dimension(form) for path, form in search.space.items()}
        storage = _storage(database)
        self._studies = {
            variant: _open_study(storage, study_name(name, variant), search) for variant in search.variants
        }
        self._trials: dict[tuple[str, int], optuna.Trial] = {}

    def ask(self, study: str) -> tuple[int, dict[str, Any]]:
        """See Studies.ask."""
        trial = self._studies[study].ask({path: dimension.distribution for path, dimension in self._space.items()})
        self._trials[study, trial.number] = trial
        return trial.number, {path: self._space[path].value(trial.params[path]) for path in self._space}

    def begin(self, study: str, number: int | None, params: dict[str, Any], trials: list[str], planned: int) -> int:
        """See Studies.begin. Of a point that was not asked for, the values within their ranges become parameters."""
        attributes = {"kind": "search", "trials": trials, "epochs_planned": planned}
        if number is None:
            attributes["kind"] = "start"
            known = {path: self._space[path].label(value) for path, value in params.items()}
            params = {path: label for path, label in known.items() if label is not None}
            used = {path: self._space[path].distribution for path in params}
            optuna_study = self._studies[study]
            number = len(optuna_study.get_trials(deepcopy=False))
            optuna_study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=used))
        for key, value in attributes.items():
            self._trial(study, number).set_user_attr(key, value)
        return number

    def report(self, study: str, number: int, step: int, value: float) -> bool:
        """See Studies.report. A step that is reported again keeps its value; a point that has ended goes on."""
        trial = self._trial(study, number)
        frozen = self._frozen(study, number)
        if frozen.state.is_finished():
            return True
        if step not in frozen.intermediate_values:
            trial.report(value, step)
        return not trial.should_prune()

    def tell(self, study: str, number: int, state: str, value: float | None, reason: str) -> None:
        """See Studies.tell."""
        trial = self._trial(study, number)
        trial.set_user_attr("state", state)
        if reason:
            trial.set_user_attr("reason", reason)
        with warnings.catch_warnings():
            # A point may be pruned before it has reported anything.
            warnings.simplefilter("ignore", UserWarning)
            self._studies[study].tell(number, value, state=_STATES[state])

    def _trial(self, study: str, number: int) -> optuna.Trial:
        if (study, number) not in self._trials:
            trial_id = self._frozen(study, number)._trial_id
            self._trials[study, number] = optuna.Trial(self._studies[study], trial_id)
        return self._trials[study, number]

    def _frozen(self, study: str, number: int) -> FrozenTrial:
        return self._studies[study].get_trials(deepcopy=False)[number]


class Dimension:
    """A range of the plan as Optuna knows it."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        self.distribution, self._choices = _distribution(form)

    def label(self, value: Any) -> Any:
        """What stands for the value in the study; None where the range does not hold it."""
        if self._choices is not None:
            own = label_of(value)
            if own in self._choices and _same(self._choices[own], value):
                return own
            return next((label for label, choice in self._choices.items() if _same(choice, value)), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        is_held = self.distribution._contains(self.distribution.to_internal_repr(value))
        return value if is_held else None

    def value(self, label: Any) -> Any:
        """What the label stands for."""
        return label if self._choices is None else self._choices[label]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _distribution(form: Mapping[str, Any]) -> tuple[BaseDistribution, dict[Any, Any] | None]:
    (kind, values), step = next((k, v) for k, v in form.items() if k != "step"), form.get("step")
    match kind:
        case "uniform":
            return FloatDistribution(values[0], values[1], step=step), None
        case "log_uniform":
            return FloatDistribution(values[0], values[1], log=True), None
        case "int":
            return IntDistribution(values[0], values[1], step=int(step or 1)), None
        case "log_int":
            return IntDistribution(values[0], values[1], log=True), None
    choices = {label_of(value): value for value in values}
    return CategoricalDistribution(tuple(choices)), choices


def label_of(value: Any) -> str:
    """A choice as text: Optuna stores text, and takes 1, 1.0 and true for the same."""
    return value if isinstance(value, str) else json.dumps(value)


def study_name(experiment: str, variant: str) -> str:
    """Unique within a run, and told apart from other runs' where a dashboard shows several."""
    return f"{experiment}/{variant}"


def _storage(database: Path) -> optuna.storages.RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    engine = {"connect_args": {"timeout": LOCK_TIMEOUT_S}}
    return optuna.storages.RDBStorage(f"sqlite:///{database.absolute()}", engine_kwargs=engine)


def _open_study(storage: optuna.storages.RDBStorage, name: str, search: SearchPlan) -> optuna.Study:
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize" if search.mode == "min" else "maximize",
        pruner=build("pruners", search.pruner),
        load_if_exists=True,
    )
    _name_metric(study, search.metric)
    # Opened again after a crash, the sampler must not repeat its first proposals.
    study.sampler = build("samplers", search.sampler, (search.seed + len(study.trials)) % 2**32)
    return study


def _name_metric(study: optuna.Study, metric: str) -> None:
    """What Optuna's plots and dashboard call the value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([metric])


def record_plan(database: Path, plan: Plan, store: Store) -> None:
    """Write the plan's finished trials that no study has yet: a trial of Optuna per variant, with its factors.

    Those of a search stand in the baseline's study, behind all that it proposed, so that it was not misled by them.
    """
    metric, mode = _watched(plan)
    known = set(plan.search.variants) if plan.search else set()
    groups: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        if trial.variant not in known and store.is_finished(trial.id):
            groups.setdefault(trial.variant, []).append(trial)
    storage = _storage(database)
    direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
    name = study_name(plan.name, plan.baseline)
    study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
    _name_metric(study, metric)
    factors = {path: _factor(plan, path) for path in plan.factors}
    space = {path: Dimension(form) for path, form in plan.search.space.items()} if plan.search else {}
    done = {tuple(trial.user_attrs.get("trials", ())) for trial in study.get_trials(deepcopy=False)}
    for trials in groups.values():
        if tuple(trial.id for trial in trials) not in done:
            study.add_trial(_fixed_trial(plan, trials, store, metric, {**factors, **space}))


def _watched(plan: Plan) -> tuple[str, str]:
    """The metric of a plan's study: what is searched for, or else what selects the best epoch, or a loss."""
    if plan.search is not None:
        return plan.search.metric, plan.search.mode
    select = plan.trials[0].config["evaluation"]["select"]
    return ("train/loss", "min") if select == "none" else (select["metric"], select["mode"])


def _factor(plan: Plan, path: str) -> Dimension:
    """Every value that the plan's trials give a path."""
    values = [plan.factors[path], *(trial.overrides[path] for trial in plan.trials if path in trial.overrides)]
    return Dimension({"choice": list({label_of(value): value for value in values}.values())})


def _fixed_trial(
    plan: Plan, trials: Sequence[Trial], store: Store, metric: str, space: Mapping[str, Dimension]
) -> FrozenTrial:
    results = [store.result(trial.id) for trial in trials]
    values = [result.best[metric] for result in results if metric in result.best]
    epochs = int(trials[0].config["training"]["epochs"])
    reported: dict[int, float] = {}
    for index, trial in enumerate(trials):
        for record in store.history(trial.id):
            if metric in record.metrics and len(values) == len(trials):
                before = values[:index]
                reported[index * epochs + record.epoch] = sum([*before, record.metrics[metric]]) / (index + 1)
    given = {path: space[path].label(trials[0].overrides.get(path, plan.factors[path])) for path in space}
    params = {path: label for path, label in given.items() if label is not None}
    is_whole = len(values) == len(trials)
    return create_trial(
        state=TrialState.COMPLETE if is_whole else TrialState.FAIL,
        value=sum(values) / len(values) if is_whole else None,
        params=params,
        distributions={path: space[path].distribution for path in params},
        intermediate_values=reported,
        user_attrs={
            "kind": "grid" if trials[0].overrides else "start",
            "variant": trials[0].variant,
            "trials": [trial.id for trial in trials],
            "epochs_planned": epochs * len(trials),
            "state": "finished" if is_whole else "failed",
        },
    )


def summarise(database: Path, plan: Plan) -> SearchSummary:
    """What every study of a search came to. Points that the run left without an end are marked as failed."""
    search = plan.search
    assert search is not None
    storage = _storage(database)
    space = {path: Dimension(form) for path, form in search.space.items()}
    studies = []
    for variant in search.variants:
        study = optuna.load_study(study_name=study_name(plan.name, variant), storage=storage)
        for trial in study.get_trials(deepcopy=False):
            if not trial.state.is_finished():
                study.tell(trial.number, state=TrialState.FAIL)
        trials = study.get_trials(deepcopy=False)
        points = tuple(_point(trial, space) for trial in trials)
        studies.append(StudySummary(variant=variant, points=points, importances=_importances(trials, space, search)))
    return SearchSummary(metric=search.metric, mode=search.mode, database=database.name, studies=tuple(studies))


def _point(trial: FrozenTrial, space: Mapping[str, Dimension]) -> SearchPoint:
    attributes = trial.user_attrs
    state: PointState = attributes.get("state", "unfinished")
    return SearchPoint(
        number=trial.number,
        kind=attributes.get("kind", "search"),
        params={path: space[path].value(trial.params[path]) for path in space if path in trial.params},
        state=state,
        value=trial.value if state == "finished" else None,
        trials=tuple(attributes.get("trials", ())),
        epochs_trained=len(trial.intermediate_values),
        epochs_planned=attributes.get("epochs_planned", 0),
        reason=attributes.get("reason", ""),
    )


def _importances(
    trials: Sequence[FrozenTrial], space: Mapping[str, Dimension], search: SearchPlan
) -> dict[str, float] | None:
    """fANOVA (Hutter et al. 2014) over the finished points of the search that have every parameter."""
    used = [
        create_trial(
            state=trial.state,
            value=trial.value,
            params={path: trial.params[path] for path in space},
            distributions={path: trial.distributions[path] for path in space},
        )
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and trial.user_attrs.get("kind") != "grid"
        and space.keys() <= trial.params.keys()
    ]
    if len(used) < MIN_POINTS_FOR_IMPORTANCES or len({trial.value for trial in used}) == 1:
        return None
    study = optuna.create_study(direction="minimize" if search.mode == "min" else "maximize")
    study.add_trials(used)
    evaluator = FanovaImportanceEvaluator(seed=search.seed)
    return {path: float(share) for path, share in get_param_importances(study, evaluator=evaluator).items()}
