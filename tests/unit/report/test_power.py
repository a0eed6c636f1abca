"""The power of paired t-tests is that of scipy's noncentral t, which `craftc plan` does without."""

import math

import numpy as np
import pytest
from scipy import stats

from craftc.report.power import MOST_SEEDS, detectable_effect, power, seeds_needed, t_quantile


def scipys_power(effect: float, num: int, alpha: float) -> float:
    """As statsmodels' TTestPower computes it; scipy's lower tail has no number where it is about nothing."""
    bound, noncentrality = stats.t.isf(alpha / 2, num - 1), effect * math.sqrt(num)
    lower = 0.0 if noncentrality > 4 else stats.nct.cdf(-bound, num - 1, noncentrality)
    return float(stats.nct.sf(bound, num - 1, noncentrality) + lower)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6, 0.0005])
@pytest.mark.parametrize("num", [2, 3, 4, 5, 10, 41, 100])
def test_power_is_scipys(num: int, alpha: float) -> None:
    assert t_quantile(alpha, num - 1) == pytest.approx(stats.t.isf(alpha / 2, num - 1), rel=1e-9)
    for effect in (0.1, 0.5, 1.0, 3.0, 10.0):
        # Of one degree of freedom the integrand has a kink, where little depends on it.
        assert power(effect, num, alpha) == pytest.approx(
            scipys_power(effect, num, alpha), abs=3e-5 if num == 2 else 1e-7
        )
    assert scipys_power(detectable_effect(num, alpha), num, alpha) == pytest.approx(0.8, abs=1e-5)


def test_power_is_that_of_simulated_tests() -> None:
    differences = np.random.default_rng(0).normal(1.5, 1.0, (20_000, 5))
    found = stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05

    assert found.mean() == pytest.approx(power(1.5, 5, 0.05), abs=3 * math.sqrt(0.25 / 20_000))


@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0, 2.0, 40.0])
def test_the_seeds_needed_are_the_fewest(effect: float) -> None:
    found = seeds_needed(effect, 0.05)

    assert found is not None
    assert scipys_power(effect, found, 0.05) >= 0.8
    assert found == 2 or scipys_power(effect, found - 1, 0.05) < 0.8


def test_more_seeds_than_are_counted() -> None:
    assert seeds_needed(0.1, 0.05) is None
    assert scipys_power(0.1, MOST_SEEDS, 0.05) < 0.8
