"""Reads the cells of a table: what is a gap, a number or a date. Linting and training read them alike."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from craftc.compiler.data_files.labels import MISSING

_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:([,'\u00a0\u2009\u202f ])[0-9]{3}(?:\1[0-9]{3})*)(?:\.[0-9]*)?")
"""`1,234,567.8`: groups of three digits, parted by one sign."""
_ISO = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(?: ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_NAMED = re.compile(r"([0-9]{1,2})[ -]([A-Za-z]{3,9})\.?[ -]([0-9]{4})|([A-Za-z]{3,9})\.? ([0-9]{1,2}),? ([0-9]{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_gap(text: str, more: Iterable[str] = ()) -> bool:
    """Whether a cell, without blanks around it, holds no value: it is empty, or one of the words for that."""
    return not text or text.casefold() in MISSING or text in more


def as_number(text: str) -> float | None:
    """The finite number that a cell holds; None of another. ASCII, without the underscores that Python takes.

    Groups of three digits may be parted: `1,234.5` is 1234.5. `12,5` is none: whether the comma is a decimal one is
    unknown.
    """
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if number != number and _GROUPED.fullmatch(text):
        number = float(re.sub(r"[^0-9.+-]", "", text))
    return number if math.isfinite(number) else None


def as_days(text: str, *, day_first: bool | None) -> float | None:
    """The days since 1970-01-01 of a date, with the time of day as a fraction; None of what is no date.

    Of `3/4/2021`, `day_first` says which number is the day; None: such a date is read only where one number cannot be a
    month. Parted by full stops, the day is first. A time without a zone is taken for UTC.
    """
    if match := _ISO.fullmatch(text):
        year, _, month, day, hour, minute, second, fraction, zone = match.groups()
        return _days(year, month, day, hour, minute, second, zone, float(fraction or 0))
    if match := _YEAR_LAST.fullmatch(text):
        first, mark, then, year, hour, minute, second = match.groups()
        first_is_day = _first_is_day(int(first), int(then), True if mark == "." else day_first)
        if first_is_day is None:
            return None
        day, month = (first, then) if first_is_day else (then, first)
        return _days(year, month, day, hour, minute, second)
    if match := _NAMED.fullmatch(text):
        day, name, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
        month = next((n for n, short in enumerate(_MONTHS, 1) if name.casefold().startswith(short)), 0)
        return _days(year, str(month), day)
    return None


def days_first(texts: Iterable[str]) -> bool | None:
    """Which number of dates such as `3/4/2021` is the day, by those in which one is greater than 12; None: unknown.

    Where both orders are among them, unknown as well.
    """
    found = set()
    for text in texts:
        if (match := _YEAR_LAST.fullmatch(text)) and match[2] != ".":
            if int(match[1]) > 12:
                found.add(True)
            elif int(match[3]) > 12:
                found.add(False)
    return found.pop() if len(found) == 1 else None


def is_ambiguous(text: str) -> bool:
    """Whether it is a date of which either number may be the day."""
    match = _YEAR_LAST.fullmatch(text)
    return match is not None and match[2] != "." and int(match[1]) <= 12 and int(match[3]) <= 12


def looks_dated(text: str) -> bool:
    """Whether it is written as a date, if any order of day and month is taken."""
    return as_days(text, day_first=True) is not None or as_days(text, day_first=False) is not None


def _first_is_day(first: int, then: int, day_first: bool | None) -> bool | None:
    if day_first is not None:
        return day_first
    if first > 12 or then > 12:
        return first > 12
    return None


def _days(
    year: str,
    month: str,
    day: str,
    hour: str | None = None,
    minute: str | None = None,
    second: str | None = None,
    zone: str | None = None,
    fraction: float = 0.0,
) -> float | None:
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        at = at - offset if zone[0] == "+" else at + offset
    return ((at - _EPOCH).total_seconds() + fraction) / 86_400
