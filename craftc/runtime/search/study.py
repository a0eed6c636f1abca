"""The Optuna studies of a run, in one SQLite file that Optuna's own tools open. With the samplers and pruners of
`components/`, the only file that imports optuna."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from craftc.components.build import build
from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.study_file import LOCK_TIMEOUT_S, FinishedPoint, PlanStudy, study_name
from craftc.schemas.plan import Plan, SearchPlan
from craftc.schemas.search import PointState, SearchPoint, SearchSummary, StudySummary

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
        trial = self._studies[study].ask({path: _distribution(dimension) for path, dimension in self._space.items()})
        self._trials[study, trial.number] = trial
        return trial.number, {path: self._space[path].value(trial.params[path]) for path in self._space}

    def begin(self, study: str, number: int | None, params: dict[str, Any], trials: list[str], planned: int) -> int:
        """See Studies.begin. Of a point that was not asked for, the values within their ranges become parameters."""
        attributes = {"kind": "search", "trials": trials, "epochs_planned": planned}
        if number is None:
            attributes["kind"] = "start"
            known = {path: self._space[path].label(value) for path, value in params.items()}
            params = {path: label for path, label in known.items() if label is not None}
            used = {path: _distribution(self._space[path]) for path in params}
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


def _distribution(dimension: Dimension) -> BaseDistribution:
    return json_to_distribution(dimension.json)


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


def add_points(database: Path, study: PlanStudy, points: Sequence[FinishedPoint]) -> None:
    """As `study_file.add_points`, by Optuna's own means: for a version of it whose tables that does not know."""
    direction = StudyDirection.MINIMIZE if study.mode == "min" else StudyDirection.MAXIMIZE
    storage = _storage(database)
    optuna_study = optuna.create_study(storage=storage, study_name=study.name, direction=direction, load_if_exists=True)
    _name_metric(optuna_study, study.metric)
    known = {tuple(trial.user_attrs.get("trials", ())) for trial in optuna_study.get_trials(deepcopy=False)}
    ranges = {path: _distribution(dimension) for path, dimension in study.space.items()}
    for point in points:
        if tuple(point.attributes["trials"]) not in known:
            optuna_study.add_trial(
                create_trial(
                    state=TrialState.FAIL if point.value is None else TrialState.COMPLETE,
                    value=point.value,
                    params=dict(point.params),
                    distributions={path: ranges[path] for path in point.params},
                    intermediate_values=dict(point.reported),
                    user_attrs=dict(point.attributes),
                )
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
    # Lazily: fANOVA is a random forest of scikit-learn, which takes a second to import.
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    study = optuna.create_study(direction="minimize" if search.mode == "min" else "maximize")
    study.add_trials(used)
    evaluator = FanovaImportanceEvaluator(seed=search.seed)
    return {path: float(share) for path, share in get_param_importances(study, evaluator=evaluator).items()}
