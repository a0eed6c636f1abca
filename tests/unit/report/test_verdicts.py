"""Verdicts within a margin and hypotheses: the tests behind them, beside scipy's and by simulation."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from craftc.report.compare import difference_of
from craftc.report.conclude import conclude
from craftc.report.render_markdown import render_markdown
from craftc.report.render_text import render_text
from craftc.report.statistics import equivalence, holm, interval_at, seeds_to_see, smallest_seen
from craftc.schemas.conclusion import Conclusion
from craftc.schemas.hypothesis import Hypothesis

MakeRun = Callable[..., Any]
FULL = [0.80, 0.82, 0.81, 0.83, 0.79]
SAME = [value + offset for value, offset in zip(FULL, [0.001, -0.001, 0.0005, 0.0, -0.0005], strict=True)]
WORSE = [value - 0.1 + offset for value, offset in zip(FULL, [0.01, -0.01, 0.0, 0.005, -0.005], strict=True)]
UNCLEAR = [value + offset for value, offset in zip(FULL, [0.06, -0.03, 0.02, -0.02, 0.05], strict=True)]
VALUES = {"full": FULL, "-warmup": WORSE, "-dropout": SAME, "lr=0.1": UNCLEAR}


def concluded(make_run: MakeRun, margin: float | None = 0.01, values: Any = VALUES, **given: Any) -> Conclusion:
    hypotheses = given.pop("hypotheses", ())
    plan, results, failures = make_run(values, baseline="full", **given)
    plan = plan.model_copy(update={"margin": margin, "hypotheses": tuple(hypotheses)})
    return conclude(plan, results, failures)


def decisions(conclusion: Conclusion) -> dict[str, str | None]:
    return {row.name: row.difference.decision for row in conclusion.variants if row.difference is not None}


def test_each_kind_of_verdict(make_run: MakeRun) -> None:
    found = concluded(make_run)
    assert decisions(found) == {"-warmup": "worse", "-dropout": "equal", "lr=0.1": "undecided"}
    assert decisions(concluded(make_run, metric="loss", mode="min"))["-warmup"] == "better"
    assert set(decisions(concluded(make_run, None)).values()) == {None}
    text = render_text(found, 160)
    assert "shown to differ by less than 0.01 by two one-sided tests, Holm's correction for 3" in " ".join(text.split())
    assert "Shown to differ from full by less than 0.01: -dropout." in text
    assert "No difference to full shown for lr=0.1." in text
    assert "| verdict |" in render_markdown(found)
    assert "verdict" not in render_text(concluded(make_run, None), 160)


def test_what_a_margin_takes_is_said_of_what_is_undecided(make_run: MakeRun) -> None:
    [said] = [each.text for each in concluded(make_run).findings if each.kind == "seeds"]
    assert said.startswith("Undecided for lr=0.1: 5 seeds see a difference of 0.0")
    assert said.endswith("one of 0.01, the margin, takes about 130.")


def test_survivors_decide_nothing(make_run: MakeRun) -> None:
    values = {
        "full": FULL,
        "-warmup": [*[value + 0.1 for value in WORSE[:3]], 0.95, "failed"],
        "lr=1": [0.99, 0.985, 0.99, 0.98, "failed"],
    }
    found = {row.name: row.difference for row in concluded(make_run, values=values).variants if row.difference}
    assert found["lr=1"].verdict == "survivors"
    assert found["lr=1"].decision == "undecided"


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-3),
    st.floats(0.01, 1),
)
def test_the_test_of_equality_is_scipys(values: list[float], margin: float) -> None:
    difference = difference_of(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0), "max")
    assert difference is not None
    assert difference.standard_error is not None
    assert difference.standard_error == pytest.approx(float(stats.sem(values)))
    ours = equivalence(difference.mean, difference.standard_error, len(values), margin)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    assert ours == pytest.approx(max(above, below), abs=1e-9)
    interval = interval_at(difference, 0.9)
    assert (ours < 0.05) == (-margin < interval.low and interval.high < margin)


@pytest.mark.parametrize("num", [2, 3, 5, 12])
def test_what_seeds_see_is_by_the_noncentral_t(num: int) -> None:
    seen = smallest_seen(0.02, num)
    critical, shift = stats.t.ppf(0.975, num - 1), seen * math.sqrt(num) / 0.02
    assert stats.nct.sf(critical, num - 1, shift) == pytest.approx(0.8, abs=1e-6)


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_the_fewest_seeds_see_it_and_one_less_does_not(deviation: float, size: float) -> None:
    num = seeds_to_see(deviation, size)
    if num is None:
        assert smallest_seen(deviation, 1000) > size
        return
    assert smallest_seen(deviation, num) <= size
    assert num == 2 or smallest_seen(deviation, num - 1) > size


@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("true", [0.0, 0.02])
def test_of_ten_thousand_runs_few_have_a_false_verdict(num_seeds: int, true: float) -> None:
    """Five comparisons with one baseline, whose seeds they share; within a margin of 0.02, 0.02 is not equal."""
    rng, margin, num_runs = np.random.default_rng(0), 0.02, 10_000
    baseline = rng.normal(size=(num_runs, 1, num_seeds))
    differences = 0.02 * (rng.normal(size=(num_runs, 5, num_seeds)) - baseline) + true
    means, errors = differences.mean(-1), stats.sem(differences, axis=-1)
    if true == 0:
        p_values = 2 * stats.t.sf(np.abs(means / errors), num_seeds - 1)
    else:
        p_values = np.vectorize(equivalence)(means, errors, num_seeds, margin)
    adjusted = [min(each for each in holm(list(row)) if each is not None) for row in p_values]
    false = np.mean(np.array(adjusted) < 0.05)
    # Three standard errors of a share of 5%.
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / num_runs)
    assert false > 0.001


def hypothesis(name: str, claim: str, variant: str, **given: Any) -> Hypothesis:
    return Hypothesis.model_validate({"name": name, "claim": claim, "variant": variant, **given})


WITHOUT = {"is_feature": True}


@pytest.mark.parametrize(
    ("expected", "outcome"),
    [
        (hypothesis("warmup", "helps", "-warmup", **WITHOUT), "confirmed"),
        (hypothesis("warmup", "harms", "-warmup", **WITHOUT), "refuted"),
        (hypothesis("-warmup", "harms", "-warmup"), "confirmed"),
        (hypothesis("dropout", "helps", "-dropout", **WITHOUT), "refuted"),
        (hypothesis("dropout", "equal", "-dropout", **WITHOUT), "confirmed"),
        (hypothesis("warmup", "equal", "-warmup", **WITHOUT), "refuted"),
        (hypothesis("lr=0.1", "helps", "lr=0.1"), "undecided"),
        (hypothesis("lr=0.1", "equal", "lr=0.1"), "undecided"),
        (hypothesis("warmup", "differs_by", "-warmup", comparison=">=", size=0.05, **WITHOUT), "confirmed"),
        (hypothesis("warmup", "differs_by", "-warmup", comparison="<", size=0.05, **WITHOUT), "refuted"),
        (hypothesis("warmup", "differs_by", "-warmup", comparison=">", size=0.1, **WITHOUT), "undecided"),
        (hypothesis("dropout", "differs_by", "-dropout", comparison="<=", size=0.01, **WITHOUT), "confirmed"),
        (hypothesis("dropout", "differs_by", "-dropout", comparison=">", size=0.01, **WITHOUT), "refuted"),
    ],
)
def test_what_becomes_of_a_hypothesis(make_run: MakeRun, expected: Hypothesis, outcome: str) -> None:
    [found] = concluded(make_run, hypotheses=[expected]).hypotheses
    assert found.outcome == outcome
    assert found.level == 0.95
    # Where lower is better, whoever helped harms.
    [turned] = concluded(make_run, metric="loss", mode="min", hypotheses=[expected]).hypotheses
    swapped = {"confirmed": "refuted", "refuted": "confirmed"}
    is_directed = expected.claim in ("helps", "harms") and expected.variant == "-warmup"
    assert turned.outcome == (swapped[outcome] if is_directed else outcome)


def test_hypotheses_hold_together(make_run: MakeRun) -> None:
    one = hypothesis("warmup", "helps", "-warmup", **WITHOUT)
    many = [one, hypothesis("dropout", "harms", "-dropout", **WITHOUT), hypothesis("lr=0.1", "helps", "lr=0.1")]
    alone, *_ = concluded(make_run, hypotheses=[one]).hypotheses
    first, *_ = concluded(make_run, hypotheses=many).hypotheses
    assert first.level == pytest.approx(1 - 0.05 / 3)
    assert first.interval is not None
    assert alone.interval is not None
    assert first.interval.low < alone.interval.low
    differences = np.array(WORSE) - np.array(FULL)
    low, high = stats.t.interval(1 - 0.05 / 3, 4, differences.mean(), stats.sem(differences))
    assert (first.interval.low, first.interval.high) == pytest.approx((low, high))


def test_a_hypothesis_of_what_did_not_finish_is_undecided(make_run: MakeRun) -> None:
    one = hypothesis("warmup", "helps", "-warmup", **WITHOUT)
    values = {"full": FULL, "-warmup": [0.7, None, None, None, None]}
    [found] = concluded(make_run, values=values, hypotheses=[one]).hypotheses
    assert (found.outcome, found.text) == ("undecided", "there are not two seeds that differ")
    text = render_text(concluded(make_run, values=values, hypotheses=[one]), 100)
    assert "• undecided: warmup helps (there are not two seeds that differ)" in text
