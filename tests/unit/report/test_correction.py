"""Corrections for several comparisons: their worked examples, and the levels that say the same as the tests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from craftc.report.correction import adjust, benjamini_hochberg, holm, levels
from craftc.report.power import ALPHA, first_level
from craftc.schemas.analysis_plan import Correction

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=20)
correction = st.sampled_from(["holm", "bh", "none"])


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_what_could_not_be_tested() -> None:
    assert holm([0.01, None]) == [pytest.approx(0.02), None]
    assert holm([]) == []


@given(p_lists)
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values: list[float]) -> None:
    adjusted = [p for p in holm(p_values) if p is not None]

    assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
    ranked = [after for _, after in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


@given(p_lists)
def test_benjamini_and_hochbergs_is_scipys(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))
    assert benjamini_hochberg([*p_values, None])[-1] is None


@given(p_lists, correction)
def test_a_p_value_is_below_its_level_where_its_adjusted_one_is_below_five_percent(
    p_values: list[float], by: Correction
) -> None:
    for p_value, adjusted, level in zip(p_values, adjust(p_values, by), levels(p_values, by), strict=True):
        assert adjusted is not None
        if abs(adjusted - ALPHA) > 1e-9:
            assert (p_value < level) == (adjusted < ALPHA)
        assert first_level(len(p_values), by) <= level * (1 + 1e-12) <= ALPHA * (1 + 1e-12)
