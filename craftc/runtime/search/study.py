"""The Optuna studies of a search, in one SQLite file that Optuna's own tools open."""

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from craftc.components.build import build
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.on_step_sampler import OnStepSampler
from craftc.runtime.search.search_source import PointEnd
from craftc.schemas.plan import SearchPlan

LOCK_TIMEOUT_S = 60.0

_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "infeasible": TrialState.FAIL,
}


class OptunaStudies:
    """See Studies. Opened again on the same file, it goes on with what is there."""

    def __init__(self, database: Path, name: str, search: SearchPlan) -> None:
        """`name`: the experiment's, which the studies are named after. Raises BackendError `study-unusable`."""
        self._space = {path: Dimension(form) for path, form in search.space.items()}
        storage = open_storage(database)
        self._studies = {
            variant: _searched(storage, study_name(name, variant), search, self._space) for variant in search.variants
        }
        self._trials: dict[tuple[str, int], optuna.Trial] = {}

    def ask(self, study: str) -> tuple[int, dict[str, Any]]:
        """See Studies.ask."""
        trial = self._studies[study].ask({path: distribution(dimension) for path, dimension in self._space.items()})
        self._trials[study, trial.number] = trial
        return trial.number, {path: self._space[path].value(trial.params[path]) for path in self._space}

    def begin(self, study: str, number: int | None, params: dict[str, Any], trials: list[str], planned: int) -> int:
        """See Studies.begin. Of a point that was not asked for, the values within their ranges become parameters."""
        attributes = {"kind": "search", "trials": trials, "epochs_planned": planned}
        if number is None:
            attributes["kind"] = "start"
            known = {path: self._space[path].label(value) for path, value in params.items()}
            params = {path: label for path, label in known.items() if label is not None}
            used = {path: distribution(self._space[path]) for path in params}
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

    def tell(self, study: str, number: int, end: PointEnd) -> None:
        """See Studies.tell."""
        trial = self._trial(study, number)
        attributes = {
            "state": end.state,
            "reason": end.reason,
            "epochs_trained": end.trained,
            "epochs_saved": end.saved,
        }
        for key, value in attributes.items():
            if value:
                trial.set_user_attr(key, value)
        with warnings.catch_warnings():
            # A point may be pruned before it has reported anything.
            warnings.simplefilter("ignore", UserWarning)
            self._studies[study].tell(number, end.value, state=_STATES[end.state])

    def _trial(self, study: str, number: int) -> optuna.Trial:
        if (study, number) not in self._trials:
            trial_id = self._frozen(study, number)._trial_id
            self._trials[study, number] = optuna.Trial(self._studies[study], trial_id)
        return self._trials[study, number]

    def _frozen(self, study: str, number: int) -> FrozenTrial:
        return self._studies[study].get_trials(deepcopy=False)[number]


def _searched(storage: RDBStorage, name: str, search: SearchPlan, space: Mapping[str, Dimension]) -> optuna.Study:
    study = open_study(storage, name, search.metric, search.mode, build("pruners", search.pruner))
    _check_ranges(study, space)
    # Opened again after a crash, the sampler must not repeat its first proposals.
    sampler = build("samplers", search.sampler, (search.seed + len(study.trials)) % 2**32)
    study.sampler = OnStepSampler(sampler, space)
    return study


def _check_ranges(study: optuna.Study, space: Mapping[str, Dimension]) -> None:
    """Refuse a study whose points have other ranges than are searched now, or hold them in another form."""
    wanted = {path: distribution(dimension) for path, dimension in space.items()}
    for trial in study.get_trials(deepcopy=False):
        for path, stored in trial.distributions.items():
            # By JSON, in which the choices 1, 1.0 and true differ.
            if path in wanted and distribution_to_json(stored) != distribution_to_json(wanted[path]):
                message = f'the study "{study.study_name}" has other values of {path} than this version searches'
                raise BackendError("study-unusable", f"{message}; run the spec again, which begins a new study")


def study_name(experiment: str, variant: str) -> str:
    """Unique within a run, and told apart from other runs' where a dashboard shows several."""
    return f"{experiment}/{variant}"


def distribution(dimension: Dimension) -> BaseDistribution:
    """The dimension as Optuna stores it."""
    if dimension.choices is not None:
        return CategoricalDistribution(tuple(dimension.choices))
    if dimension.is_int:
        low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
        return IntDistribution(low, high, log=dimension.is_log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log, step=dimension.step)


def open_storage(database: Path) -> RDBStorage:
    """The file of a run's studies, made if it is new."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    engine = {"connect_args": {"timeout": LOCK_TIMEOUT_S}}
    return RDBStorage(f"sqlite:///{database.absolute()}", engine_kwargs=engine)


def open_study(
    storage: RDBStorage, name: str, metric: str, mode: str, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """The study of that name, made if it is new. Its values are called by the metric in Optuna's plots."""
    direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
    study = optuna.create_study(
        storage=storage, study_name=name, direction=direction, pruner=pruner, load_if_exists=True
    )
    # What Optuna wraps in a warning that it is experimental: filters of warnings are not safe in a thread.
    inspect.unwrap(optuna.Study.set_metric_names)(study, [metric])
    return study
