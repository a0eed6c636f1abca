"""Cells of a table: gaps, numbers as spreadsheets write them, and dates of several forms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.data_files.cells import as_days, as_number, days_first, is_ambiguous, is_gap, looks_dated

NUMBERS = {
    "12": 12.0,
    "-1.5e3": -1500.0,
    "1,234": 1234.0,
    "1,234,567.25": 1234567.25,
    "-12,345": -12345.0,
    "1 234": 1234.0,
    "1\u202f234": 1234.0,
    "1'234'567": 1234567.0,
}


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_numbers_with_groups_of_three_digits(text: str, number: float) -> None:
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text", ["12,5", "1,23", "1,2345", "1,234'567", "1_000", "nan", "inf", "", "one", "\u0663", "$3"]
)
def test_what_is_no_number(text: str) -> None:
    assert as_number(text) is None


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_number_is_the_same_with_and_without_its_groups(number: int) -> None:
    assert as_number(f"{number:,}") == as_number(str(number)) == number


def days(*when: int) -> float:
    return (datetime(*when, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86_400  # type: ignore[misc]


DATES = {
    "1970-01-02": 1.0,
    "2021-03-04": days(2021, 3, 4),
    "2021/3/4": days(2021, 3, 4),
    "2021-03-04T12:00": days(2021, 3, 4, 12),
    "2021-03-04 06:00:00.0": days(2021, 3, 4, 6),
    "2021-03-04T12:00:00Z": days(2021, 3, 4, 12),
    "2021-03-04T12:00:00+02:00": days(2021, 3, 4, 10),
    "2021-03-04 23:00:00-0230": days(2021, 3, 5, 1, 30),
    "4.3.2021": days(2021, 3, 4),
    "25/3/2021": days(2021, 3, 25),
    "3/25/2021": days(2021, 3, 25),
    "4 Mar 2021": days(2021, 3, 4),
    "March 4, 2021": days(2021, 3, 4),
}


@pytest.mark.parametrize(("text", "expected"), DATES.items())
def test_dates_are_days_since_1970(text: str, expected: float) -> None:
    assert as_days(text, day_first=None) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("text", ["2021-13-01", "2021-02-30", "30/30/2021", "12", "4 Foo 2021", "", "2021-03"])
def test_what_is_no_date(text: str) -> None:
    assert as_days(text, day_first=None) is None
    assert not looks_dated(text)


def test_the_order_of_day_and_month_is_read_off_the_dates_that_show_it() -> None:
    assert as_days("3/4/2021", day_first=None) is None
    assert is_ambiguous("3/4/2021")
    assert not is_ambiguous("3.4.2021")
    assert as_days("3/4/2021", day_first=True) == days(2021, 4, 3)
    assert as_days("3/4/2021", day_first=False) == days(2021, 3, 4)
    assert days_first(["3/4/2021", "25/4/2021"]) is True
    assert days_first(["3/4/2021", "4/25/2021"]) is False
    assert days_first(["3/4/2021", "5/6/2021"]) is None
    assert days_first(["25/4/2021", "4/25/2021"]) is None


def test_gaps_are_empty_cells_known_words_and_those_that_are_named() -> None:
    assert all(map(is_gap, ["", "NA", "n/a", "?", "NaN", "null", "#DIV/0!", "-"]))
    assert not any(map(is_gap, ["0", "no", "nothing", "-999"]))
    assert is_gap("-999", ["-999"])
