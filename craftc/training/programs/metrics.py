"""Checks what a program reports, before it leaves the program."""

import math
import operator
import re
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

_NAME = re.compile(r"[^\s/]+/[^\s]+")


class ReportError(ValueError):
    """What a program reported or handed over cannot be kept. `code` is `program-bad-report` or `program-bad-state`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as plain floats. Raises ReportError `program-bad-report` for a name or a value that is none."""
    if not isinstance(metrics, Mapping) or not metrics:
        raise _bad(f"metrics are a mapping of names to numbers, and this is {_shown(metrics)}")
    return {_checked_name(name): _checked_value(name, value) for name, value in metrics.items()}


def checked_step(step: Any) -> int | None:
    """The step as a plain number. Raises ReportError `program-bad-report`."""
    if step is None:
        return None
    try:
        number = operator.index(step)
    except TypeError:
        raise _bad(f"step is a whole number, and this is {_shown(step)}") from None
    if number < 0:
        raise _bad(f"step is 0 or more, and this is {number}")
    return number


def is_finite(value: float) -> bool:
    """Whether a value is kept; any other counts as one that could not be computed."""
    return math.isfinite(value)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise _bad(f'a metric is named "<split>/<metric>", such as "valid/accuracy", and this one is {_shown(name)}')
    return name


def _checked_value(name: str, value: Any) -> float:
    # Of NumPy and torch: a scalar, or an array of one element.
    if not isinstance(value, Real) and callable(item := getattr(value, "item", None)):
        with suppress(RuntimeError, ValueError, TypeError):
            value = item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _bad(f"the value of {name} is a number, and this is {_shown(value)}")
    return float(value)


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}... ({type(value).__name__})"


def _bad(message: str) -> ReportError:
    return ReportError("program-bad-report", message)
