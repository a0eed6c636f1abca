"""The text of a plain scalar -> its value, by the core schema of YAML 1.2.2, section 10.3.2."""

import math
import re

from craftc.compiler.reading.document import Scalar

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_ZERO = re.compile(r"[-+]?[.0]*[1-9]")
NUMBER = re.compile(f"(?:{_INT.pattern})|(?:{_FLOAT.pattern})")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# What a plain scalar begins with that is not text.
_NO_TEXT_BEGINS = frozenset("-+.0123456789~nNtTfF")


def plain_scalar(text: str) -> tuple[Scalar, str | None]:
    """The value, and what is wrong with a number that no spec can hold; the value is then a nearby one."""
    if text and text[0] not in _NO_TEXT_BEGINS:
        return text, None
    if _NULL.fullmatch(text):
        return None, None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text)), None
    if _INT.fullmatch(text):
        # int() refuses digits by the thousand; 25 characters are beyond 64 bits already.
        number = 2**63 if len(text) > 25 else int(text, 10 if text.lstrip("+-").isdigit() else 0)
        return (number, None) if -(2**63) <= number < 2**63 else (0, f"{text[:30]} does not fit 64 bits")
    if _FLOAT.fullmatch(text):
        if not math.isfinite(decimal := float(text)):
            return 0.0, f"{text[:30]} is beyond the largest number"
        if decimal or not _NOT_ZERO.match(text):
            return decimal, None
        return 5e-324, f"{text[:30]} is nearer to 0 than the smallest number"
    if _NON_FINITE.fullmatch(text):
        return 0.0, f"{text} is not a finite number"
    return text, None
