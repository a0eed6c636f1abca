"""What a search is said to have found: better or not, at what cost, and in whose favour."""

import pytest

from craftc.report.conclude import conclude
from craftc.report.read_search import SearchResults
from craftc.report.render_markdown import render_markdown
from craftc.report.render_text import render_text
from craftc.schemas.plan import Headline, Plan, SearchPlan, Trial
from craftc.schemas.result import Result
from craftc.schemas.search import SearchPoint, SearchSummary, StudySummary

RATE = "training.optimizer.lr"


def trial_id(name, seed):
    return f"{abs(hash((name, seed))):064x}"[-64:]


def make_result(trial, valid, test):
    return Result(
        trial=trial, best_epoch=2, epochs_trained=4, epochs_planned=4, steps=4,
        best={"valid/accuracy": valid, "test/accuracy": test}, last={"valid/accuracy": valid, "test/accuracy": test},
        trivial={"test/accuracy": 0.1}, identities={"accuracy": "share of samples"}, num_parameters=1,
        split_sizes={"train": 8, "valid": 4, "test": 4}, seconds=0.1, device="cpu", craftc_version="0",
    )  # fmt: skip


class Case:
    """A plan with one study per variant; each point is (state, {seed: (valid, test)})."""

    def __init__(self, studies, *, seeds=(0, 1, 2), mode="max", importances=None):
        self.results = {}
        summaries = []
        for variant, points in studies.items():
            made = [self._point(variant, number, *point, seeds) for number, point in enumerate(points)]
            summaries.append(StudySummary(variant=variant, points=tuple(made), importances=importances))
        self.plan = Plan(
            name="search",
            baseline=next(iter(studies)),
            headline=Headline(split="test", metric="accuracy", mode="max"),
            trials=tuple(
                Trial(id=trial_id((variant, 0), seed), variant=variant, seed=seed, config={"evaluation": {}})
                for variant in studies for seed in seeds
            ),
            factors={RATE: 0.001},
            search=SearchPlan(
                metric="valid/accuracy", mode=mode, space={RATE: {"log_uniform": [1e-4, 1e-1]}},
                sampler={"kind": "tpe"}, pruner={"kind": "none"}, trials=5, seed=0, variants=tuple(studies),
            ),
        )  # fmt: skip
        self.search = SearchSummary(metric="valid/accuracy", mode=mode, database="study.db", studies=tuple(summaries))

    def _point(self, variant, number, state, values, seeds):
        trials = [trial_id((variant, number), seed) for seed in seeds]
        for trial, (valid, test) in zip(trials, values, strict=False):
            self.results[trial] = make_result(trial, valid, test)
        mean = sum(valid for valid, _ in values) / len(values) if state == "finished" else None
        return SearchPoint(
            number=number, kind="search" if number else "start", params={RATE: 0.001 * (number + 1)}, state=state,
            value=mean, trials=tuple(trials) if state != "infeasible" else (),
            epochs_trained={"finished": 4 * len(seeds), "infeasible": 0}.get(state, 2),
            epochs_saved=4 * len(seeds) - 2 if state == "pruned" else 0,
            epochs_planned=0 if state == "infeasible" else 4 * len(seeds),
        )  # fmt: skip

    def conclude(self):
        return conclude(self.plan, self.results, {}, SearchResults(self.search, self.results))

    def said(self):
        return [finding.text for finding in self.conclude().findings if finding.kind == "search"]


START = ("finished", [(0.5, 0.50), (0.5, 0.52), (0.5, 0.48)])
BETTER = ("finished", [(0.8, 0.70), (0.8, 0.71), (0.8, 0.69)])
PRUNED = ("pruned", [])


def test_a_better_setting_is_told_with_both_metrics_and_a_paired_interval():
    said = Case({"base": [START, PRUNED, BETTER, ("infeasible", [])]}).said()
    assert said[0] == (
        "The search found a better setting than its starting point: valid/accuracy 0.800 against 0.500 at its start "
        "(point 2, the best of 2)."
    )
    assert said[1].startswith("The choice was made by valid/accuracy, which flatters the best of 2; test/accuracy, ")
    assert "changes by +0.200 [+0.175, +0.225] (3 paired seeds)." in said[1]
    assert said[2] == (
        "Of 2 points 1 finished, 1 pruned, and 1 more were refused before training; "
        "26 of 36 planned epochs were trained, 28% saved by pruning and early stopping."
    )
    assert (
        said[3] == "The best point (2) beats the trivial predictor: test/accuracy 0.700 [0.675, 0.725] against 0.100."
    )


def test_what_failed_is_not_saved_and_its_reason_is_told():
    case = Case({"base": [START, ("failed", []), PRUNED, ("failed", []), ("infeasible", [])]})
    reasons = {1: "[nan-loss] the loss became nan", 3: "[nan-loss] the loss became nan", 4: "d_model is not divisible"}
    (study,) = case.search.studies
    points = tuple(p.model_copy(update={"reason": reasons.get(p.number, "")}) for p in study.points)
    case.search = case.search.model_copy(update={"studies": (study.model_copy(update={"points": points}),)})
    assert case.said()[1] == (
        "Of 3 points 1 pruned, 2 failed, and 1 more were refused before training; "
        "18 of 48 planned epochs were trained, 21% saved by pruning and early stopping, 42% lost to failures."
    )
    (search,) = case.conclude().searches
    assert [(failure.number, failure.state) for failure in search.failures] == [
        (1, "failed"), (3, "failed"), (4, "infeasible"),
    ]  # fmt: skip
    for render in (lambda c: render_text(c, 100), render_markdown):
        text = render(case.conclude())
        assert "points 1, 3 failed: [nan-loss] the loss became nan" in text
        assert "point 4 refused before training: d_model is not divisible" in text


def test_the_values_of_points_that_failed_are_told_each_once():
    case = Case({"base": [START, ("failed", []), ("failed", []), ("failed", [])]})
    (study,) = case.search.studies
    params = {1: {"model.width": 16}, 2: {"model.width": 16}, 3: {"model.width": 32, "training.optimizer.lr": 0.5}}
    points = tuple(
        point.model_copy(update={"params": params.get(point.number, {}), "reason": "no such width"})
        for point in study.points
    )
    case.search = case.search.model_copy(update={"studies": (study.model_copy(update={"points": points}),)})
    told = "points 1, 2, 3 failed: no such width; at width=16 and width=32, lr=0.5"
    assert told in render_text(case.conclude(), 100)
    assert told in render_markdown(case.conclude())


def test_a_point_that_repeats_another_is_counted_as_such():
    case = Case({"base": [START, BETTER, BETTER]})
    (study,) = case.search.studies
    again = study.points[2].model_copy(update={"trials": study.points[1].trials, "repeats": 1})
    studies = (study.model_copy(update={"points": (*study.points[:2], again)}),)
    case.search = case.search.model_copy(update={"studies": studies})
    (search,) = case.conclude().searches
    assert (search.num_finished, search.num_repeated) == (2, 1)
    assert (search.epochs.trained, search.epochs.planned) == (24, 24)
    said = "Of 2 points 2 finished (1 of them repeat an earlier one, for which nothing is trained); "
    assert f"{said}24 of 24 planned epochs were trained." in case.said()


def test_a_headline_of_the_same_samples_took_part_in_the_choice():
    case = Case({"base": [START, BETTER]})
    case.plan = case.plan.model_copy(update={"headline": Headline(split="valid", metric="f1", mode="max")})
    for trial, result in case.results.items():
        case.results[trial] = result.model_copy(update={"best": {**result.best, "valid/f1": 0.5}})
    assert "which took no part in it" not in case.said()[1]
    assert "on the same samples that valid/f1 is measured on" in case.said()[1]


def test_nothing_better_is_said_to_be_so():
    case = Case({"base": [START, ("finished", [(0.4, 0.9), (0.4, 0.9), (0.4, 0.9)])]})
    assert case.said()[0] == "Of 1 point none is better than the starting point, valid/accuracy 0.500."
    (search,) = case.conclude().searches
    assert not search.is_improved
    assert search.best == search.start
    assert search.difference is None


def test_the_lowest_is_the_best_where_less_is_better():
    (search,) = Case({"base": [START, BETTER, ("finished", [(0.2, 0.1)] * 3)]}, mode="min").conclude().searches
    assert search.best.number == 2


def test_a_gain_that_the_held_out_split_does_not_show_is_not_told_from_chance():
    lucky = ("finished", [(0.8, 0.50), (0.8, 0.40), (0.8, 0.61)])
    said = Case({"base": [START, lucky]}).said()
    assert "(3 paired seeds, not told from chance)." in said[1]


def test_a_single_seed_has_no_interval():
    said = Case({"base": [("finished", [(0.5, 0.5)]), ("finished", [(0.8, 0.7)])]}, seeds=(0,)).said()
    assert said[1].endswith("changes by +0.200 (one seed, so no interval).")


def test_folds_are_paired_each_the_mean_of_its_seeds():
    start = ("finished", [(0.5, 0.50), (0.5, 0.52), (0.5, 0.48), (0.5, 0.40)])
    better = ("finished", [(0.8, 0.70), (0.8, 0.72), (0.8, 0.64), (0.8, 0.60)])
    case = Case({"base": [start, better]}, seeds=(0, 1, 2, 3))
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    folded = [t.model_copy(update={"fold": f, "seed": s}) for t, (f, s) in zip(case.plan.trials, places, strict=True)]
    case.plan = case.plan.model_copy(update={"trials": tuple(folded)})
    (search,) = case.conclude().searches
    assert (search.difference.folds, search.difference.seeds) == ((0, 1), (0, 1))
    assert search.difference.mean == pytest.approx((0.20 + 0.18) / 2)
    assert search.best.value == pytest.approx(0.8)
    assert search.best.headline.mean == pytest.approx((0.71 + 0.62) / 2)
    # Of two folds, Nadeau and Bengio's variance of the mean is that of one difference times 1/2 + 1.
    half_width = 12.7062 * 0.02 / 2**0.5 * (1 / 2 + 1) ** 0.5
    assert search.difference.interval.high - search.difference.mean == pytest.approx(half_width, rel=1e-4)
    assert "(2 paired folds, not told from chance)" in case.said()[1]


def test_a_search_without_a_finished_point_concludes_nothing():
    (search,) = Case({"base": [PRUNED, PRUNED]}).conclude().searches
    assert (search.start, search.best, search.num_pruned) == (None, None, 1)


def test_a_tuned_ablation_compares_the_best_of_each():
    worse = ("finished", [(0.7, 0.60), (0.7, 0.62), (0.7, 0.58)])
    case = Case({"full": [START, BETTER], "-x": [START, worse]})
    full, without = case.conclude().searches
    assert full.tuned_difference is None
    assert without.tuned_difference.mean == pytest.approx(-0.1)
    assert without.tuned_difference.verdict == "worse"
    assert "-x and full, each at its own best setting: test/accuracy differs by -0.100" in case.said()[-1]


def test_importances_of_few_points_are_called_rough():
    case = Case({"base": [START, BETTER]}, importances={RATE: 1.0})
    expected = f"What mattered (fANOVA over 2 finished points, few enough to be rough): {RATE} 1.00."
    assert expected in case.said()


@pytest.mark.parametrize("render", [lambda c: render_text(c, 100), render_markdown], ids=["text", "markdown"])
def test_both_formats_show_the_values_side_by_side(render):
    text = render(Case({"base": [START, BETTER]}, importances={RATE: 1.0}).conclude())
    lines = [line.split() for line in text.replace("|", " ").splitlines()]
    assert ["start", "0.500", "0.500"] in lines
    assert ["best", "found", "(point", "1)", "0.800", "0.700"] in lines
    assert [RATE, "0.001", "0.002", "1.00"] in lines
