"""A value that is not of the type that is expected, and that type; how it was likely meant to be written, out."""

from typing import Any, NamedTuple

from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.value_type import checker, options
from craftc.compiler.reading.decimal_comma import MeantNumber, meant_number
from craftc.compiler.reading.parse import NUMBER, parse
from craftc.compiler.reading.problem import MAX_SHOWN
from craftc.compiler.reading.tree_edit import TreeEdit, rewrite, wrap
from craftc.compiler.reading.tree_edit import unwrap as take_out
from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import Violation

_SAID_OTHERWISE = {"yes": "true", "on": "true", "no": "false", "off": "false", "true": "true", "false": "false"}
"""The truth values of YAML 1.1, and those of 1.2 in quotes."""
EXACT = 2**53
"""Below it, a number with a decimal point is the whole number that was written."""


class Suggestion(NamedTuple):
    """A hint that names the mend, and the mend itself where it is sure."""

    hint: str | None = None
    fix: TreeEdit | None = None


def suggest(path: Path, value: Any, expected: dict[str, Any]) -> Suggestion:
    """How a value was likely meant."""
    if path[:2] == ("search", "space") and len(path) == 3:
        return _as_range(path, value)
    if path == ("ablation", "features") and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return Suggestion("give each feature the settings that switch it off: {NAME: {PATH: VALUE}}")
    for part in options(expected):
        suggestion = _as_part(path, value, part)
        if suggestion.hint is not None:
            return suggestion
    return Suggestion()


def _as_part(path: Path, value: Any, part: dict[str, Any]) -> Suggestion:
    match part.get("type"):
        case "boolean" if isinstance(value, str) and value.lower() in _SAID_OTHERWISE:
            meant = _SAID_OTHERWISE[value.lower()]
            return Suggestion(f"write {meant}", rewrite(path, meant))
        case "integer" if isinstance(value, float) and value.is_integer() and fits(int(value), part):
            fix = rewrite(path, str(int(value))) if abs(value) < EXACT else None
            return Suggestion(f"write {int(value)}: a whole number has no decimal point", fix)
        case "integer" | "number" if isinstance(value, str) and (meant := meant_number(value)) is not None:
            return _as_number(path, value, meant, part)
        case "array" if value == "none":
            return Suggestion("an empty list is []", rewrite(path, "[]") if fits([], part) else None)
        case "array" if not isinstance(value, list) and fits([value], part):
            text = yaml_value([value])
            hint = f"a list stands in brackets: {text}" if len(text) <= MAX_SHOWN else "a list stands in brackets"
            return Suggestion(hint, wrap(path, "[", "]"))
        case "object" if isinstance(value, list) and len(value) == 1 and fits(value[0], part):
            return Suggestion("a mapping stands without brackets and dashes", take_out(path))
        case "object" if not isinstance(value, list | dict) and part.get("required") and "properties" in part:
            return Suggestion(f"write {{{', '.join(f'{name}: ...' for name in part['required'])}}}")
    return Suggestion()


def _as_number(path: Path, written: str, meant: MeantNumber, part: dict[str, Any]) -> Suggestion:
    """A number that is written as only text can be; of a whole one, a comma can only part thousands."""
    whole = written.replace(",", "")
    if part["type"] == "integer" and "," in written and whole.isdigit() and fits(int(whole), part):
        return Suggestion(f"write {whole}: nothing parts the digits of a number", rewrite(path, whole))
    if part["type"] == "integer" and not (meant.value.is_integer() and fits(int(meant.value), part)):
        return Suggestion()
    is_fit = meant.sure and fits(int(meant.sure) if meant.sure.lstrip("-+").isdigit() else float(meant.sure), part)
    return Suggestion(meant.hint, rewrite(path, meant.sure) if is_fit else None)


def number_in_quotes(path: Path, text: str, expected: dict[str, Any]) -> TreeEdit | None:
    """The number without the quotes, where that is what is expected."""
    if NUMBER.fullmatch(text) is None:
        return None
    document, diagnostics = parse(text, "")
    is_read = document is not None and not diagnostics and fits(document.root.plain(), expected)
    return rewrite(path, text) if is_read else None


def fits(value: Any, fragment: dict[str, Any]) -> bool:
    """Whether a value is of the type of a JSON Schema fragment."""
    violations: list[Violation] = []
    checker(fragment)(value, (), violations)
    return not violations


def _as_range(path: Path, value: Any) -> Suggestion:
    if not isinstance(value, list):
        return Suggestion("write a range: {uniform: [LOW, HIGH]}, {choice: [...]} or another")
    listed = yaml_value(value)
    # Of numbers, a list may be meant as ends, or as ends and a step.
    fix = wrap(path, "{choice: ", "}") if value and all(isinstance(item, str | bool) for item in value) else None
    if len(listed) > MAX_SHOWN:
        return Suggestion("write {choice: [...]}", fix)
    ends = len(value) == 2 and all(isinstance(end, int | float) and not isinstance(end, bool) for end in value)
    if ends:
        return Suggestion(f"write {{uniform: {listed}}} or {{choice: {listed}}}")
    return Suggestion(f"write {{choice: {listed}}}", fix)
