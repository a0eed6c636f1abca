"""Reads the ranges of other tools: W&B's `{min, max, distribution}`, Optuna's `{low, high, log}` and the like."""

from typing import Any, NamedTuple

_LOW = ("min", "low", "lower", "minval", "minimum")
_HIGH = ("max", "high", "upper", "maxval", "maximum")
_VALUES = ("values", "choices", "categories", "options")
_KIND = ("distribution", "type", "space", "sampler", "domain")
_LOG = ("log", "is_log", "log_scale")
_STEP = ("step", "q", "quantum")
_LISTED = ("grid_search", "categorical", "in", "oneof")
_MAX_INNER = 3


class MeantRange(NamedTuple):
    """`is_sure`: every key was understood, and can be said here."""

    value: dict[str, Any]
    is_sure: bool


def as_range(value: dict[str, Any]) -> MeantRange | None:
    """The range that is meant, as it is written here; None where it looks like none."""
    listed = next((value[word] for word in (*_VALUES, *_LISTED) if isinstance(value.get(word), list)), None)
    if listed is not None:
        understood = {*_VALUES, *_LISTED, *_KIND}
        return MeantRange({"choice": listed}, value.keys() <= understood and bool(listed))
    low, high, step = (next((value[word] for word in words if word in value), None) for words in (_LOW, _HIGH, _STEP))
    if not (_is_number(low) and _is_number(high)):
        return None
    kind = str(next((value[word] for word in _KIND if word in value), "")).lower()
    is_whole = isinstance(low, int) and isinstance(high, int) and not any(w in kind for w in ("float", "double"))
    is_log = "log" in kind or any(value.get(word) is True for word in _LOG)
    is_whole = (is_whole and "uniform" not in kind.removeprefix("q_").removeprefix("int_")) or "int" in kind
    form = ("log_" if is_log else "") + ("int" if is_whole else "uniform")
    known = {*_LOW, *_HIGH, *_KIND, *_LOG}
    is_guessed = is_whole and not kind and "min" not in value
    # W&B's log_uniform has the exponents of e as its ends; log_uniform_values has the values.
    is_sure = (
        value.keys() <= known
        and not is_guessed
        and kind not in ("log_uniform", "q_log_uniform")
        and "normal" not in kind
    )
    found: dict[str, Any] = {form: [low, high]}
    if _is_number(step) and not is_log:
        found["step"] = step
    return MeantRange(found, is_sure)


def inner_ranges(prefix: str, value: dict[str, Any]) -> list[str]:
    """The ranges of a mapping of mappings, by their whole paths, for a hint."""
    found: list[str] = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            below = inner_ranges(f"{prefix}.{key}", inner)
            found += below or [f"{prefix}.{key}: RANGE"]
    return found[:_MAX_INNER]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
