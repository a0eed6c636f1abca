"""A value that is not of the type that is expected, and that type; how it was likely meant to be written, out."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.spec_places import fragment_at
from craftc.compiler.language.value_type import checker, options
from craftc.compiler.reading.flow_text import is_plain_text, scalars_in
from craftc.compiler.reading.parse import parse
from craftc.compiler.reading.plain_scalar import NUMBER
from craftc.compiler.reading.problem import MAX_SHOWN
from craftc.compiler.reading.tree_edit import TreeEdit, flatten, rewrite, wrap
from craftc.compiler.reading.tree_edit import replace as put
from craftc.compiler.reading.tree_edit import unwrap as take_out
from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import Violation

_SAID_OTHERWISE = {"yes": "true", "on": "true", "no": "false", "off": "false", "true": "true", "false": "false"}
"""The truth values of YAML 1.1, and those of 1.2 in quotes."""
_OFF = frozenset({"off", "no", "false", "null", "none", "disabled", "disable"})
_AROUND_LIST = re.compile(r"^\s*[(\[]\s*|\s*[)\]]\s*$")
_BETWEEN = re.compile(r"\s*[,;]\s*|\s+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_COMPUTED = re.compile(r"[\w.]*\(")
_MAX_PATHS = 3
"""Paths that a hint writes out."""
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
    if path in (("extends",), ("search", "use")) and isinstance(value, dict):
        names = [item for item in value.values() if isinstance(item, str)]
        text = names[0] if len(names) == 1 and len(value) == 1 else ""
        return Suggestion(f"write {path[-1]}: {text or 'FILE'}", put(path, text) if is_plain_text(text) else None)
    if path == ("data", "splits") and (splits := _as_splits(value)) is not None:
        return splits
    if path == ("ablation", "features") and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return Suggestion("give each feature the settings that switch it off: {NAME: {PATH: VALUE}}")
    if isinstance(value, str) and (foreign := _as_reference(value)) is not None:
        return foreign
    if is_off(value) and any(part.get("const") == "none" for part in options(expected)):
        return Suggestion("write none to switch it off", rewrite(path, "none"))
    if path[:-1] in (("ablation", "grid"), ("ablation", "zip")) and isinstance(value, dict) and "kind" not in value:
        return _as_paths(path, value)
    if isinstance(value, str) and (parted := _as_pair(path, value, expected)) is not None:
        return parted
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
        case "integer" | "number" if (
            isinstance(value, str) and (number := _as_number(path, value, part)).hint is not None
        ):
            return number
        case "array" if is_off(value) and fits([], part):
            return Suggestion("an empty list is []", rewrite(path, "[]"))
        case "array" if is_off(value):
            return Suggestion("it needs at least one item; leave it out for its default")
        case "array" if isinstance(value, str) and (listed := _as_list(path, value, part)) is not None:
            return listed
        case "array" if not isinstance(value, list) and fits([value], part):
            text = yaml_value([value])
            hint = f"a list stands in brackets: {text}" if len(text) <= MAX_SHOWN else "a list stands in brackets"
            return Suggestion(hint, wrap(path, "[", "]"))
        case "object" if isinstance(value, list) and len(value) == 1 and fits(value[0], part):
            return Suggestion("a mapping stands without brackets and dashes", take_out(path))
        case "object" if isinstance(value, str) and len(part.get("required", ())) == 1 and _fits_only(value, part):
            name = part["required"][0]
            text = yaml_value({name: value})
            hint = f"write {text}" if len(text) <= MAX_SHOWN else f"write {{{name}: ...}}"
            return Suggestion(hint, wrap(path, f"{{{name}: ", "}"))
        case "object" if (
            isinstance(value, str) and not part.get("required") and (inner := _as_inner(path, value, part))
        ):
            name, key = inner
            return Suggestion(f"write {yaml_value({name: {key: value}})}", wrap(path, f"{{{name}: {{{key}: ", "}}"))
        case "object" if not isinstance(value, list | dict) and part.get("required") and "properties" in part:
            return Suggestion(f"write {{{', '.join(f'{name}: ...' for name in part['required'])}}}")
    return Suggestion()


def _fits_only(value: str, part: dict[str, Any]) -> bool:
    """Whether a text is a value of the one key that a mapping needs: a metric with its split, or a component's name."""
    inner = part.get("properties", {}).get(part["required"][0], {})
    if "$ref" in inner:
        return re.fullmatch(r"[a-z]\w*", value) is not None
    return re.fullmatch(r"\w+/\w+", value) is not None and fits(value, inner)


def _as_inner(path: Path, value: str, part: dict[str, Any]) -> tuple[str, str] | None:
    """The key of a section, none of whose keys is needed, that holds the one section that the text can be the value of;
    and the key of that."""
    found = [
        (name, option["required"][0])
        for name in part.get("properties", {})
        for option in options(fragment_at((*path, name)))
        if len(value) <= MAX_SHOWN and len(option.get("required", ())) == 1 and _fits_only(value, option)
    ]
    return found[0] if len(found) == 1 else None


def _as_splits(value: Any) -> Suggestion | None:
    """Fractions that are written without the names of their splits: 80/10/10, [0.8, 0.2], 0.8."""
    texts = re.findall(r"\d*\.?\d+", value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    try:
        numbers = [float(text) for text in texts if not isinstance(text, bool)]
    except (TypeError, ValueError):
        return None
    if len(numbers) == 1 and 0 < numbers[0] < 1:
        numbers += [(1 - numbers[0]) / 2] * 2
    names = {2: ("train", "test"), 3: ("train", "valid", "test")}.get(len(numbers))
    total = sum(numbers)
    if names is None or min(numbers) <= 0 or len(numbers) < len(texts):
        return None
    text = ", ".join(f"{name}: {round(number / total, 6):g}" for name, number in zip(names, numbers, strict=True))
    return Suggestion(f"write {{{text}}}")


def _as_list(path: Path, written: str, part: dict[str, Any]) -> Suggestion | None:
    """Numbers in a text, such as `(8, 8)`; nothing of what a language computes. None of another text."""
    inner = _AROUND_LIST.sub("", written)
    numbers = _BETWEEN.split(inner)
    if len(inner) <= MAX_SHOWN and len(numbers) > 1 and all(map(NUMBER.fullmatch, numbers)):
        text = f"[{', '.join(numbers)}]"
        read, diagnostics = parse(text, "")
        is_read = read is not None and not diagnostics and fits(read.root.plain(), part)
        return Suggestion(f"a list stands in brackets: {text}", rewrite(path, text) if is_read else None)
    return Suggestion() if _COMPUTED.match(written) else None


def is_off(value: Any) -> bool:
    """Whether a value says that something is to be left out, in another word than `none`."""
    return value is False or (isinstance(value, str) and value.lower() in _OFF) or value == "none"


def _as_reference(value: str) -> Suggestion | None:
    """What another tool computes, or takes from another place."""
    if value.startswith("${oc.env:") or value.startswith("${env."):
        return Suggestion("write ${env:NAME}, in a field that differs between machines: a path, or a tracker's")
    if "${" in value and "${env:" not in value:
        return Suggestion(
            "no value refers to another by ${...}: write it, or name it once by an anchor, &NAME and *NAME"
        )
    if value.startswith(("tune.", "ray.tune.", "hp.", "trial.suggest_")):
        return Suggestion("write a range in search.space: {PATH: {log_uniform: [LOW, HIGH]}}")
    return None


def _as_paths(path: Path, value: dict[str, Any]) -> Suggestion:
    """A mapping in the place of a list of values: other paths below, or W&B's `values`."""
    if set(value) == {"values"} and isinstance(value["values"], list):
        return Suggestion(f"write the list by itself: {_short(yaml_value(value['values']))}")
    if set(value) == {"value"}:
        return Suggestion("a value that does not vary stands in its section; remove it here")
    from craftc.compiler.language.foreign_ranges import as_range

    if (meant := as_range(value)) is not None:
        text = yaml_value({str(path[-1]): meant.value})
        return Suggestion(f"a grid has values; a range stands in search.space: {text}")
    flat = yaml_value(dict(islice(_leaves(str(path[-1]), value), _MAX_PATHS)))
    return Suggestion(f"a path stands in one key: {_short(flat[1:-1])}", flatten(path))


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{prefix}.{key}", inner)
    else:
        yield prefix, value if isinstance(value, list) else [value]


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _as_pair(path: Path, value: str, expected: dict[str, Any]) -> Suggestion | None:
    """A text such as epochs:1, of which the key is one that is expected."""
    name, colon, rest = value.partition(":")
    keys = {key for part in options(expected) for key in part.get("properties", {})}
    if not colon or name not in keys or not rest:
        return None
    fix = rewrite(path, f"{{{name}: {rest}}}") if scalars_in(f"{{{name}: {rest}}}") == [name, rest] else None
    return Suggestion(f"a space follows the colon: {name}: {rest}", fix)


def _as_number(path: Path, written: str, part: dict[str, Any]) -> Suggestion:
    """A number that is written as only text can be; of a whole one, a comma can only part thousands."""
    from craftc.compiler.reading.meant_number import meant_number

    if (meant := meant_number(written)) is None:
        return Suggestion()
    whole = written.replace(",", "")
    if part["type"] == "integer" and _THOUSANDS.fullmatch(written) and fits(int(whole), part):
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
    if isinstance(value, str) and (foreign := _as_reference(value)) is not None:
        return foreign
    if isinstance(value, dict):
        from craftc.compiler.language.foreign_ranges import as_range, inner_ranges

        if (meant := as_range(value)) is not None:
            text = yaml_value(meant.value)
            return Suggestion(f"write {text}", put(path, text) if meant.is_sure else None)
        inner = inner_ranges(str(path[-1]), value)
        if inner:
            return Suggestion(f"a path stands in one key: {', '.join(inner)}")
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
