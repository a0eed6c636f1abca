"""Finds out which number a text such as `0,001`, `1_000` or `50%` was meant to be."""

import re
from typing import NamedTuple

_COMMA = re.compile(r"([-+]?)(\d+),(\d+)((?:[eE][-+]?\d+)?)")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:[_' ]\d{3})+")
_UNDERSCORES = re.compile(r"[-+]?\d+(?:_\d+)+")
_PERCENT = re.compile(r"([-+]?\d+(?:\.\d+)?) ?%")
_SUFFIXED = re.compile(r"(\d+(?:\.\d+)?)([kKM])")
_ENDED = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?) ?[,;]")
_GROUP = 3
"""Digits between the commas of thousands."""


class MeantNumber(NamedTuple):
    """`value` is the likeliest number, `sure` its text where it can be no other."""

    value: float
    hint: str
    sure: str = ""


def decimal_comma(written: str) -> MeantNumber:
    """Of a number with a comma in it. Three digits behind it may be thousands, unless a 0 stands before it."""
    found = _COMMA.fullmatch(written)
    assert found is not None or "," in written
    point = written.replace(",", ".", 1)
    value = float(point) if found is not None else 0.0
    if found is not None and not found[4] and len(found[3]) == _GROUP and found[2] != "0":
        return MeantNumber(value, f"write {point} with a decimal point, or {written.replace(',', '')} without a comma")
    return MeantNumber(value, f"write {point}: a number has a decimal point", point if found is not None else "")


def meant_number(written: str) -> MeantNumber | None:
    """The number that a text was meant to be; None where it looks like none."""
    if (ended := _ENDED.fullmatch(written)) is not None:
        return MeantNumber(float(ended[1]), f"write {ended[1]}: nothing ends a value but the line", ended[1])
    if _COMMA.fullmatch(written):
        return decimal_comma(written)
    if _THOUSANDS.fullmatch(written) or _UNDERSCORES.fullmatch(written):
        digits = re.sub(r"[_' ]", "", written)
        sure = digits if _THOUSANDS.fullmatch(written) else ""
        return MeantNumber(float(digits), f"write {digits}: nothing parts the digits of a number", sure)
    if (percent := _PERCENT.fullmatch(written)) is not None:
        share = f"{float(percent[1]) / 100:.10g}"
        return MeantNumber(float(share), f"write {share}: a share is a number")
    if (suffixed := _SUFFIXED.fullmatch(written)) is not None:
        whole = f"{float(suffixed[1]) * (1e6 if suffixed[2] == 'M' else 1e3):.15g}"
        return MeantNumber(float(whole), f"write {whole}")
    return None
