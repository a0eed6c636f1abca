"""Cross-validation in the conclusion: paired fold by fold, with the variance that shared samples leave."""

import math
from statistics import fmean, stdev

import pytest
from scipy import stats

from craftc.report.conclude import conclude
from craftc.report.render_text import render_text
from craftc.schemas.plan import Plan

VALUES = {"full": (0.90, 0.92, 0.88, 0.93, 0.91), "-a": (0.87, 0.90, 0.86, 0.88, 0.89)}


def folded(run, num_seeds: int = 1):
    """The trials of a run as folds: `seed` of the fixture is the fold, or fold and seed in turn."""
    plan, results, failures = run
    trials = tuple(
        trial.model_copy(update={"fold": trial.seed // num_seeds, "seed": trial.seed % num_seeds})
        for trial in plan.trials
    )
    return Plan.model_validate(plan.model_dump() | {"trials": trials}), results, failures


def test_folds_are_paired_and_their_variance_is_corrected(make_run) -> None:
    conclusion = conclude(*folded(make_run(VALUES)))
    _, row = conclusion.variants
    assert row.difference is not None
    assert row.difference.folds == (0, 1, 2, 3, 4)
    assert row.difference.seeds == (0,)
    differences = [b - a for a, b in zip(VALUES["full"], VALUES["-a"], strict=True)]
    # Nadeau and Bengio (2003): 1/K + test over train, which is 1/(K - 1).
    error = stdev(differences) * math.sqrt(1 / 5 + 1 / 4)
    half = stats.t.ppf(0.975, 4) * error
    assert row.difference.interval is not None
    assert row.difference.interval.low == pytest.approx(fmean(differences) - half)
    assert row.difference.interval.high == pytest.approx(fmean(differences) + half)
    assert row.difference.p_value == pytest.approx(2 * stats.t.sf(abs(fmean(differences)) / error, 4))
    assert row.value is not None
    assert row.value.mean == pytest.approx(fmean(VALUES["-a"]))


def test_seeds_of_a_fold_are_averaged_first(make_run) -> None:
    values = {name: (*of_seeds, of_seeds[0] + 0.02) for name, of_seeds in VALUES.items()}
    conclusion = conclude(*folded(make_run(values), num_seeds=2))
    _, row = conclusion.variants
    assert row.difference is not None
    assert (row.difference.folds, row.difference.seeds) == ((0, 1, 2), (0, 1))
    means = [[fmean(values[name][2 * k : 2 * k + 2]) for k in range(3)] for name in ("full", "-a")]
    assert row.difference.mean == pytest.approx(fmean(means[1]) - fmean(means[0]))
    assert row.num_planned == row.num_finished == 6
    assert row.value is not None
    assert row.value.num_seeds == 6


def test_the_legend_says_folds(make_run) -> None:
    printed = " ".join(render_text(conclude(*folded(make_run(VALUES))), width=120).split())
    assert "Means over folds" in printed
    assert "taken fold by fold" in printed
    assert "5 paired folds" in printed
