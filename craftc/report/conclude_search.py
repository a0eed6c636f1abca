"""Compares the best point of each search with its starting point."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from craftc.report.compare import difference_by_place
from craftc.report.folds import by_fold, fold_overlap
from craftc.report.read_search import SearchResults
from craftc.report.statistics import estimate
from craftc.report.wording import one_line
from craftc.schemas.conclusion import Difference, EpochCount, PointFailure, PointSummary, SearchConclusion
from craftc.schemas.plan import Plan
from craftc.schemas.result import Result
from craftc.schemas.search import SearchPoint, StudySummary

_Place = tuple[int | None, int]
"""The fold and the seed of a trial."""


def conclude_search(plan: Plan, search: SearchResults) -> list[SearchConclusion]:
    """One conclusion for each study, in the order of the plan."""
    conclusions = [_conclude_study(plan, study, search) for study in search.summary.studies]
    baseline = next((c for c in conclusions if c.variant == plan.baseline), None)
    return [_against_tuned(plan, conclusion, baseline, search.results) for conclusion in conclusions]


def best_of(points: Sequence[SearchPoint], mode: str) -> SearchPoint | None:
    """The finished point of the best value, the earliest of equals."""
    finished = [point for point in points if point.value is not None and point.kind != "grid"]
    sign = 1 if mode == "min" else -1
    return min(finished, key=lambda point: (sign * (point.value or 0.0), point.number), default=None)


def _conclude_study(plan: Plan, study: StudySummary, search: SearchResults) -> SearchConclusion:
    start = next((point for point in study.points if point.kind == "start"), None)
    places = _places(plan, study.variant)
    best = best_of(study.points, search.summary.mode)
    proposed = [point.state for point in study.points if point.kind == "search"]
    own = [point for point in study.points if point.kind != "grid"]
    different = _different(own)
    return SearchConclusion(
        variant=study.variant,
        metric=search.summary.metric,
        mode=search.summary.mode,
        start=_point(plan, start, places, search.results),
        best=_point(plan, best, places, search.results),
        difference=_difference(plan, best, start, places, search.results),
        num_finished=proposed.count("finished"),
        num_pruned=proposed.count("pruned"),
        num_failed=proposed.count("failed"),
        num_infeasible=proposed.count("infeasible"),
        num_unfinished=proposed.count("unfinished"),
        num_repeated=sum(point.repeats is not None for point in own if point.kind == "search"),
        epochs=EpochCount(
            trained=sum(point.epochs_trained for point in different),
            planned=sum(point.epochs_planned for point in different),
        ),
        epochs_saved=sum(point.epochs_saved for point in different),
        failures=tuple(
            PointFailure(
                number=point.number, state=point.state, params=point.params, reason=one_line(point.reason) or "unknown"
            )
            for point in own
            if point.state in ("failed", "infeasible")
        ),
        importances=study.importances,
    )


def _different(points: Sequence[SearchPoint]) -> list[SearchPoint]:
    """Of points with the same trials the one that was trained furthest, so that no epoch counts twice."""
    furthest: dict[tuple[str, ...], SearchPoint] = {}
    for point in points:
        known = furthest.get(point.trials)
        if point.trials and (known is None or point.epochs_trained > known.epochs_trained):
            furthest[point.trials] = point
    return list(furthest.values())


def _point(
    plan: Plan, point: SearchPoint | None, places: Sequence[_Place], results: Mapping[str, Result]
) -> PointSummary | None:
    if point is None or point.value is None:
        return None
    by_place = _headline(plan, point.trials, places, results)
    has_folds = any(fold is not None for fold, _ in by_place)
    headline = list((by_fold(by_place) if has_folds else by_place).values())
    overlap = fold_overlap(len(headline)) if has_folds else 0.0
    params = point.params
    if point.kind == "start":
        # Also those that lie beyond their ranges.
        trial = next((trial for trial in plan.trials if trial.id in point.trials), None)
        params = {path: trial.overrides.get(path, value) if trial else value for path, value in plan.factors.items()}
    space = plan.search.space if plan.search else {}
    known = [results[trial] for trial in point.trials if trial in results]
    trivial = [result.trivial[plan.headline.name] for result in known if plan.headline.name in result.trivial]
    return PointSummary(
        number=point.number,
        params={path: params.get(path) for path in space},
        value=point.value,
        headline=estimate(headline, is_share=_are_shares(plan, known), overlap=overlap) if headline else None,
        trivial=fmean(trivial) if trivial else None,
        trials=point.trials,
    )


def _places(plan: Plan, variant: str) -> list[_Place]:
    """Fold and seed of the trials of each of a study's points, which stand in the order of the variant's own."""
    return [(trial.fold, trial.seed) for trial in plan.trials if variant in (trial.variant, *trial.aliases)]


def _headline(
    plan: Plan, trials: Sequence[str], places: Sequence[_Place], results: Mapping[str, Result]
) -> dict[_Place, float]:
    """A point's headline by fold and seed."""
    known = ((place, results[trial]) for place, trial in zip(places, trials, strict=True) if trial in results)
    values = ((place, result.best.get(plan.headline.name)) for place, result in known)
    return {place: value for place, value in values if value is not None}


def _difference(
    plan: Plan,
    point: SearchPoint | None,
    reference: SearchPoint | None,
    places: Sequence[_Place],
    results: Mapping[str, Result],
) -> Difference | None:
    if point is None or reference is None or point.trials == reference.trials:
        return None
    values, references = (_headline(plan, each.trials, places, results) for each in (point, reference))
    known = [results[trial] for each in (point, reference) for trial in each.trials if trial in results]
    return difference_by_place(values, references, plan.headline.mode, are_shares=_are_shares(plan, known))


def _are_shares(plan: Plan, results: Sequence[Result]) -> bool:
    """Whether the headline of all of them lies between 0 and 1."""
    return bool(results) and all(plan.headline.metric in result.shares for result in results)


def _against_tuned(
    plan: Plan, conclusion: SearchConclusion, baseline: SearchConclusion | None, results: Mapping[str, Result]
) -> SearchConclusion:
    if baseline is None or baseline is conclusion or conclusion.best is None or baseline.best is None:
        return conclusion
    values, references = (
        _headline(plan, each.best.trials, _places(plan, each.variant), results)
        for each in (conclusion, baseline)
        if each.best is not None
    )
    known = [results[trial] for best in (conclusion.best, baseline.best) for trial in best.trials if trial in results]
    difference = difference_by_place(values, references, plan.headline.mode, are_shares=_are_shares(plan, known))
    return conclusion.model_copy(update={"tuned_difference": difference})
