"""Checks a value against a type: returns the value as it is kept, and every place that does not fit.

`section.py` checks the sections of a spec by their annotations, and `compiler/language/value_type.py` the arguments of
components by their signatures. Checks are strict: text is no number, true is no 1. A whole number where any
number is allowed becomes one, as YAML's `lr: 1` means.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from craftc.schemas.diagnostic import Path

ViolationKind = Literal["type", "missing", "unknown", "bounds", "choice", "pattern"]
"""`missing` and `unknown` are of keys; `bounds` also of a length or a number of items."""


class Violation(NamedTuple):
    """A place whose value does not fit; of a missing key, the mapping that lacks it."""

    path: Path
    kind: ViolationKind
    value: Any


Fit = Callable[[Any, Path, list[Violation]], Any]
"""Takes a value, where it stands, and the violations found so far, to which it adds. What it returns is only to be used
where it added none; it is the value itself where nothing had to be changed."""
_NO_BOUNDS: Mapping[str, Any] = {}


class ViolationError(ValueError):
    """A value does not fit. `violations` are in the order of the language's keys, with unknown ones last."""

    def __init__(self, what: str, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        told = ", ".join(f"{'.'.join(map(str, path)) or what}: {kind}" for path, kind, _ in violations[:10])
        super().__init__(f"{what} does not fit: {told}")


def anything(value: Any, path: Path, violations: list[Violation]) -> Any:
    """Fits."""
    return value


def of_type(wanted: type | None) -> Fit:
    """An instance of a class; None alone for None."""
    known = type(None) if wanted is None else wanted

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if not isinstance(value, known):
            violations.append(Violation(path, "type", value))
        return value

    return fit


def text(bounds: Mapping[str, Any] = _NO_BOUNDS) -> Fit:
    """Text, by `minLength`, `maxLength` and `pattern` as in JSON Schema."""
    if not bounds:
        return of_type(str)
    least, most = bounds.get("minLength", 0), bounds.get("maxLength", math.inf)
    # Python's $ lets a line end follow.
    pattern = re.compile(bounds["pattern"].removesuffix("$") + r"\Z") if "pattern" in bounds else None

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if not isinstance(value, str):
            violations.append(Violation(path, "type", value))
        elif not least <= len(value) <= most:
            violations.append(Violation(path, "bounds", value))
        elif pattern is not None and pattern.search(value) is None:
            violations.append(Violation(path, "pattern", value))
        return value

    return fit


def number(bounds: Mapping[str, Any] = _NO_BOUNDS, *, whole: bool = False) -> Fit:
    """A finite number, as float, or with `whole` an int; the bounds in the words of JSON Schema."""
    wanted = int if whole else (int, float)
    is_outside = _outside(bounds)

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if isinstance(value, bool) or not isinstance(value, wanted):
            violations.append(Violation(path, "type", value))
            return value
        fitted = value
        if not whole and not isinstance(value, float):
            try:
                fitted = float(value)
            except OverflowError:
                fitted = math.inf
        if not whole and not math.isfinite(fitted):
            violations.append(Violation(path, "type", value))
        elif is_outside is not None and is_outside(fitted):
            violations.append(Violation(path, "bounds", value))
        return fitted

    return fit


def _outside(bounds: Mapping[str, Any]) -> Callable[[float], bool] | None:
    """Whether a number is outside of bounds; None where there are none."""
    if not bounds:
        return None
    low, above = bounds.get("minimum", -math.inf), bounds.get("exclusiveMinimum", -math.inf)
    high, below = bounds.get("maximum", math.inf), bounds.get("exclusiveMaximum", math.inf)
    step = bounds.get("multipleOf")

    def is_outside(value: float) -> bool:
        return not (low <= value <= high and above < value < below) or (step is not None and _is_between(value, step))

    return is_outside


def _is_between(value: float, step: float) -> bool:
    """Whether a number lies between two multiples, by more than rounding explains."""
    rest = abs(math.remainder(value, step))
    return rest > (0 if isinstance(value, int) and isinstance(step, int) else abs(value) / 1e9)


def one_of_values(values: Sequence[Any]) -> Fit:
    """One of a few scalars; true is not 1, and 1 is not "1"."""

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        for known in values:
            if type(value) is type(known) and value == known:
                return value
        for known in values:
            if isinstance(known, float) and isinstance(value, int) and not isinstance(value, bool) and value == known:
                return known
        violations.append(Violation(path, "choice", value))
        return value

    return fit


def items(item: Fit, bounds: Mapping[str, Any] = _NO_BOUNDS, *, as_tuple: bool = False) -> Fit:
    """A list, by `minItems` and `maxItems`; of too long a one no item is looked at."""
    least, most = bounds.get("minItems", 0), bounds.get("maxItems", math.inf)
    wanted = (list, tuple) if as_tuple else list

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if not isinstance(value, wanted):
            violations.append(Violation(path, "type", value))
            return value
        if len(value) > most:
            violations.append(Violation(path, "bounds", value))
            return value
        if item is anything:
            fitted = value
        else:
            before = len(violations)
            fitted = [item(inner, (*path, index), violations) for index, inner in enumerate(value)]
            if len(violations) > before:
                return value
        if len(value) < least:
            violations.append(Violation(path, "bounds", value))
        if as_tuple:
            return tuple(fitted)
        return value if _all_same(fitted, value) else fitted

    return fit


def mapping(item: Fit, bounds: Mapping[str, Any] = _NO_BOUNDS) -> Fit:
    """A mapping with any keys, by `minProperties` and `maxProperties`."""
    least, most = bounds.get("minProperties", 0), bounds.get("maxProperties", math.inf)

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if not isinstance(value, dict):
            violations.append(Violation(path, "type", value))
            return value
        before = len(violations)
        fitted = value
        if item is not anything:
            fitted = {key: item(inner, (*path, key), violations) for key, inner in value.items()}
        if len(violations) == before and not least <= len(value) <= most:
            violations.append(Violation(path, "bounds", value))
        return value if item is anything or _all_same(fitted.values(), value.values()) else fitted

    return fit


def _all_same(fitted: Any, given: Any) -> bool:
    return all(one is other for one, other in zip(fitted, given, strict=True))


def either(options: Sequence[Fit]) -> Fit:
    """One of several: the first that takes the value as it is, or else the first that takes it; all complain where none
    does."""

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        taken: list[Any] = []
        refused: list[Violation] = []
        for option in options:
            found: list[Violation] = []
            fitted = option(value, path, found)
            if not found and fitted is value:
                return value
            if not found:
                taken.append(fitted)
            refused += found
        if taken:
            return taken[0]
        violations += refused
        return value

    return fit


def unless_none(inner: Fit) -> Fit:
    """A value, or `none`, the word that switches it off. An empty value is more often a slip than a wish."""

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if value == "none":
            return None
        if value is None:
            violations.append(Violation(path, "type", value))
            return value
        return inner(value, path, violations)

    return fit


def or_empty(inner: Fit, empty: Any) -> Fit:
    """A list or mapping, or `none`, the word for an empty one."""

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        return empty if isinstance(value, str) and value == "none" else inner(value, path, violations)

    return fit


def or_null(inner: Fit) -> Fit:
    """A value, or None where none is given."""

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        return None if value is None else inner(value, path, violations)

    return fit
