"""What every study of a search came to: its points, and how important each searched value was."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.study import open_storage, study_name
from craftc.schemas.plan import Plan, SearchPlan
from craftc.schemas.search import PointState, SearchPoint, SearchSummary, StudySummary

MIN_POINTS_FOR_IMPORTANCES = 4


def summarise(database: Path, plan: Plan) -> SearchSummary:
    """What every study of a search came to. Points that the run left without an end are marked as failed."""
    search = plan.search
    assert search is not None
    storage = open_storage(database)
    space = {path: Dimension(form) for path, form in search.space.items()}
    studies = []
    for variant in search.variants:
        study = optuna.load_study(study_name=study_name(plan.name, variant), storage=storage)
        for trial in study.get_trials(deepcopy=False):
            if not trial.state.is_finished():
                study.tell(trial.number, state=TrialState.FAIL)
        trials = study.get_trials(deepcopy=False)
        points = _with_repeats([_point(trial, space) for trial in trials])
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
        epochs_trained=attributes.get("epochs_trained", len(trial.intermediate_values)),
        epochs_saved=attributes.get("epochs_saved", 0),
        epochs_planned=attributes.get("epochs_planned", 0),
        reason=attributes.get("reason", ""),
    )


def _with_repeats(points: Sequence[SearchPoint]) -> tuple[SearchPoint, ...]:
    """Each point that has the trials of an earlier finished one, so that nothing was trained for it, names that."""
    finished: dict[tuple[str, ...], int] = {}
    out = []
    for point in points:
        earlier = finished.get(point.trials)
        out.append(point if earlier is None else point.model_copy(update={"repeats": earlier}))
        if point.state == "finished":
            finished.setdefault(point.trials, point.number)
    return tuple(out)


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
