"""A value that is not of the type that is expected, and that type; how it was likely meant to be written, out."""

from typing import Any

from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.value_type import checker, options
from craftc.compiler.reading.problem import MAX_SHOWN
from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import Violation

_SAID_IN_YAML_1_1 = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def suggest(path: Path, value: Any, expected: dict[str, Any]) -> str | None:
    """A hint that names the mend; None where none is likely."""
    if path[:2] == ("search", "space") and len(path) == 3:
        return _as_range(value)
    if path == ("ablation", "features") and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return "give each feature the settings that switch it off: {NAME: {PATH: VALUE}}"
    for part in options(expected):
        hint = _as_part(value, part)
        if hint is not None:
            return hint
    return None


def _as_part(value: Any, part: dict[str, Any]) -> str | None:
    match part.get("type"):
        case "boolean" if isinstance(value, str) and value.lower() in _SAID_IN_YAML_1_1:
            return f"write {_SAID_IN_YAML_1_1[value.lower()]}"
        case "integer" if isinstance(value, float) and value.is_integer() and _fits(int(value), part):
            return f"write {int(value)}: a whole number has no decimal point"
        case "array" if value == "none":
            return "an empty list is []"
        case "array" if not isinstance(value, list) and _fits([value], part):
            text = yaml_value([value])
            return f"a list stands in brackets: {text}" if len(text) <= MAX_SHOWN else "a list stands in brackets"
        case "object" if isinstance(value, list) and len(value) == 1 and _fits(value[0], part):
            return "a mapping stands without brackets and dashes"
        case "object" if not isinstance(value, list | dict) and part.get("required") and "properties" in part:
            return f"write {{{', '.join(f'{name}: ...' for name in part['required'])}}}"
    return None


def _fits(value: Any, fragment: dict[str, Any]) -> bool:
    violations: list[Violation] = []
    checker(fragment)(value, (), violations)
    return not violations


def _as_range(value: Any) -> str | None:
    if not isinstance(value, list):
        return "write a range: {uniform: [LOW, HIGH]}, {choice: [...]} or another"
    listed = yaml_value(value)
    if len(listed) > MAX_SHOWN:
        return "write {choice: [...]}"
    ends = len(value) == 2 and all(isinstance(end, int | float) and not isinstance(end, bool) for end in value)
    return f"write {{uniform: {listed}}} or {{choice: {listed}}}" if ends else f"write {{choice: {listed}}}"
