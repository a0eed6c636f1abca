"""The intervals and tests are those of scipy, and stay defined where scipy's are not."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats

from craftc.report.statistics import ROUNDING, estimate, paired_difference

metric_value = st.floats(0.01, 1.0)
pairs = st.lists(st.tuples(metric_value, metric_value), min_size=2, max_size=8)


@given(st.lists(metric_value, min_size=2, max_size=8))
def test_interval_is_scipys(values: list[float]) -> None:
    assume(max(values) - min(values) > 1e-6)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=stats.tmean(values), scale=stats.sem(values))

    found = estimate(values)

    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.num_seeds == len(values)


@given(pairs)
def test_paired_difference_is_scipys(values: list[tuple[float, float]]) -> None:
    ours, baseline = zip(*values, strict=True)
    spread = [a - b for a, b in values]
    assume(max(spread) - min(spread) > 1e-6)
    expected = stats.ttest_rel(ours, baseline)
    low, high = expected.confidence_interval(0.95)

    mean, interval, p_value, _ = paired_difference(ours, baseline)

    assert mean == pytest.approx(stats.tmean(spread))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert p_value == pytest.approx(expected.pvalue)


@given(pairs, st.floats(-100, 100))
def test_a_constant_shift_changes_no_difference(values: list[tuple[float, float]], shift: float) -> None:
    ours, baseline = zip(*values, strict=True)
    spread = [a - b for a, b in values]
    # Of values about 100, a spread of 5e-5 is float32's rounding.
    assume(max(spread) - min(spread) > ROUNDING * 102)

    mean, interval, p_value, _ = paired_difference(ours, baseline)
    shifted = paired_difference([a + shift for a in ours], [b + shift for b in baseline])

    assert interval is not None
    assert shifted[1] is not None
    assert shifted[0] == pytest.approx(mean, abs=1e-9)
    assert (shifted[1].low, shifted[1].high) == pytest.approx((interval.low, interval.high), abs=1e-7)
    assert shifted[2] == pytest.approx(p_value, rel=1e-3, abs=1e-9)


def test_equal_differences_are_not_overwhelming_evidence() -> None:
    # In floating point these differences are 0.2 within 1e-16, and a t-test of them gives p < 1e-15.
    mean, interval, p_value, _ = paired_difference([0.9, 0.8, 0.7], [0.7, 0.6, 0.5])

    assert mean == pytest.approx(0.2)
    assert (interval, p_value) == (None, None)


@pytest.mark.parametrize("scale", [3e-6, 1.0, 777.7])
def test_differences_that_are_equal_up_to_float32_are_no_evidence(scale: float) -> None:
    def rounded(*values: float) -> list[float]:
        return [float(np.float32(value * scale)) for value in values]

    ours, baseline = rounded(0.91, 0.83, 0.77), rounded(0.71, 0.63, 0.57)
    # What a t-test makes of these three is p < 1e-10.
    spread = [a - b for a, b in zip(ours, baseline, strict=True)]
    assert len(set(spread)) > 1

    mean, interval, p_value, _ = paired_difference(ours, baseline)
    assert mean == pytest.approx(0.2 * scale, rel=1e-6)
    assert (interval, p_value) == (None, None)
    assert paired_difference(ours, [np.nextafter(np.float32(v), np.float32(9e9)).item() for v in ours])[0] == 0
    assert estimate(rounded(0.91, 0.91, 0.91000001)).interval is None


def test_a_spread_of_one_sample_in_a_hundred_thousand_is_a_spread() -> None:
    *_, p_value, _ = paired_difference([0.5, 0.50001, 0.50002], [0.4, 0.4, 0.4])
    assert p_value == pytest.approx(stats.ttest_rel([0.5, 0.50001, 0.50002], [0.4, 0.4, 0.4]).pvalue)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8))
def test_the_interval_of_a_share_is_the_logits_where_students_reaches_beyond(values: list[float]) -> None:
    assume(max(values) - min(values) > 1e-5)
    mean, error, num = stats.tmean(values), stats.sem(values), len(values)
    student = stats.t.interval(0.95, num - 1, loc=mean, scale=error)
    logit = stats.t.interval(0.95, num - 1, loc=math.log(mean / (1 - mean)), scale=error / (mean * (1 - mean)))
    is_inside = student[0] >= 0 and student[1] <= 1

    found = estimate(values, is_share=True)

    assert found.interval is not None
    expected = student if is_inside else special.expit(logit)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))
    assert found.form == ("student-t" if is_inside else "logit")
    assert 0 <= found.interval.low <= found.interval.high <= 1


def test_values_beyond_0_and_1_are_no_shares() -> None:
    assert estimate([0.9, 1.1], is_share=True) == estimate([0.9, 1.1])


def test_no_difference_at_all() -> None:
    mean, interval, p_value, _ = paired_difference([0.3, 0.1 + 0.2, 0.5], [0.1 + 0.2, 0.3, 0.5])

    assert (mean, interval, p_value) == (0, None, None)


def test_one_pair_has_no_interval() -> None:
    assert paired_difference([0.5], [0.25]) == (0.25, None, None, None)
    assert estimate([0.5]).interval is None


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e150, 1e300])
def test_extreme_values_neither_overflow_nor_vanish(scale: float) -> None:
    found = estimate([1 * scale, 2 * scale, 3 * scale])

    assert found.mean == pytest.approx(2 * scale)
    assert found.interval is not None
    assert found.interval.high == pytest.approx((2 + 2.4841377) * scale)
