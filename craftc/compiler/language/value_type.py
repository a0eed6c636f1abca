"""Checks values against a JSON Schema fragment, and describes the fragment in words."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from craftc.schemas.catalogue import is_class
from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import Fit, Violation, anything, either, items, mapping, number, of_type, one_of_values, text

COMPONENT: dict[str, Any] = {"type": "object", "required": ["kind"]}
"""What an object of some class is in a spec: a component in an argument's place. With `group`, one of that group."""
CLASS: dict[str, Any] = {**COMPONENT, "format": "class"}
"""What a class, or whatever makes an object, is in a spec: a component that says `as: class`."""
_ENCODER = json.JSONEncoder(sort_keys=True)


class Nested:
    """Marks a mapping as a component in an argument's place, to distinguish it from any other mapping."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value


def is_component(fragment: dict[str, Any]) -> bool:
    """Whether a fragment is that of a component, of a group or of none."""
    return fragment.get("required") == COMPONENT["required"] and fragment.get("type") == "object"


def group_of(fragment: dict[str, Any]) -> str | None:
    """The group of the components that a fragment allows; None where it allows none, or those of the user's own."""
    return next((part["group"] for part in options(fragment) if is_component(part) and "group" in part), None)


def options(fragment: dict[str, Any]) -> list[dict[str, Any]]:
    """The types that a fragment allows, one by one."""
    parts: list[dict[str, Any]] = fragment.get("anyOf", [fragment])
    return parts


def checker(fragment: dict[str, Any]) -> Fit:
    """What takes values of that fragment: strict, finite numbers only, components as `Nested`."""
    return _checker(_ENCODER.encode(fragment))


@lru_cache(maxsize=1024)
def _checker(fragment_json: str) -> Fit:
    return _fit(json.loads(fragment_json))


def _fit(fragment: dict[str, Any]) -> Fit:
    if "anyOf" in fragment:
        return either([_fit(part) for part in fragment["anyOf"]])
    if "enum" in fragment or "const" in fragment:
        return one_of_values(fragment.get("enum", [fragment.get("const")]))
    if is_component(fragment):
        return _class if fragment.get("format") == CLASS["format"] else of_type(Nested)
    match fragment.get("type"):
        case "string":
            return text({word: fragment[word] for word in _TEXT_BOUNDS if word in fragment})
        case "boolean":
            return of_type(bool)
        case "null":
            return of_type(None)
        case "integer" | "number" as kind:
            return number(fragment, whole=kind == "integer")
        case "array":
            return items(_fit(fragment.get("items", {})), fragment)
        case "object":
            value = fragment.get("additionalProperties", {})
            return mapping(_fit(value if isinstance(value, dict) else {}))
    return anything


def _class(value: Any, path: Path, violations: list[Violation]) -> Any:
    if not isinstance(value, Nested) or not is_class(value.value):
        violations.append(Violation(path, "type", value))
    return value


def describe(fragment: dict[str, Any]) -> str:
    """What is expected, in words: `a whole number >= 1, or none`."""
    if "anyOf" in fragment:
        return ", or ".join(dict.fromkeys(describe(part) for part in fragment["anyOf"] if part.get("type") != "null"))
    if "enum" in fragment:
        names = [str(name) for name in fragment["enum"]]
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    if "const" in fragment:
        return str(fragment["const"])
    if is_component(fragment) and fragment.get("format") == CLASS["format"]:
        return "a class: {kind: package.module:Name, as: class}"
    if is_component(fragment):
        return f"one of {group}, as a mapping with kind" if (group := fragment.get("group")) else _COMPONENT_IN_WORDS
    kind = fragment.get("type")
    if kind in ("integer", "number"):
        bounds = " and ".join(_describe_bounds(fragment))
        return f"{'a whole number' if kind == 'integer' else 'a number'} {bounds}".rstrip()
    if kind == "array":
        return _describe_array(fragment)
    if kind == "string" and fragment.get("format") in ("path", "weights"):
        return "a path" if fragment["format"] == "path" else "a path, or trial:ID"
    if kind == "object" and fragment.get("maxProperties"):
        return f"a mapping of at most {fragment['maxProperties']} keys"
    if kind == "object" and fragment.get("minProperties"):
        return "a mapping with at least one key"
    words = {"string": "text", "boolean": "true or false", "object": "a mapping"}
    return words.get(str(kind), "a value")


_TEXT_BOUNDS = ("minLength", "maxLength", "pattern")
_COMPONENT_IN_WORDS = "a component: a mapping with kind"


def files_in(value: Any, fragment: dict[str, Any]) -> Iterator[Path]:
    """The places of files and folders within a value: () of one, and those of the items of lists and mappings."""
    if isinstance(value, str):
        if is_file(value, fragment):
            yield ()
        return
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, dict):
        items = value.items()
    for key, item in items:
        for part in options(fragment):
            inner = _item_type(part, value)
            if inner is not None:
                yield from ((key, *place) for place in files_in(item, inner))


def item_at(fragment: dict[str, Any], place: Path) -> dict[str, Any]:
    """The type of what is at a place within a value of a type; {}, which is any, where that says nothing of it."""
    for part in place:
        container: Any = [] if isinstance(part, int) else {}
        found = (inner for option in options(fragment) if (inner := _item_type(option, container)) is not None)
        fragment = next(found, {})
    return fragment


def _item_type(fragment: dict[str, Any], container: Any) -> dict[str, Any] | None:
    """The type of the items of a list or of a mapping; None where the fragment says nothing of them."""
    key, kind = ("items", "array") if isinstance(container, list) else ("additionalProperties", "object")
    inner = fragment.get(key) if fragment.get("type") == kind else None
    return inner if isinstance(inner, dict) else None


def is_file(value: Any, fragment: dict[str, Any]) -> bool:
    """Whether a value names a file or folder: text where a path is allowed, and none of the words beside it."""
    if not isinstance(value, str):
        return False
    parts = options(fragment)
    words = {word for part in parts for word in part.get("enum", [part.get("const")])}
    return value not in words and any(part.get("format") in ("path", "weights") for part in parts)


def _describe_bounds(fragment: dict[str, Any]) -> list[str]:
    words = {
        "minimum": ">= {}",
        "exclusiveMinimum": "> {}",
        "maximum": "<= {}",
        "exclusiveMaximum": "< {}",
        "multipleOf": "divisible by {}",
    }
    return [text.format(_number(fragment[key])) for key, text in words.items() if key in fragment]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def _describe_array(fragment: dict[str, Any]) -> str:
    low, high = fragment.get("minItems"), fragment.get("maxItems")
    count = (
        f" of {low}" if low and low == high else f" of at least {low}" if low else f" of at most {high}" if high else ""
    )
    items = describe(fragment.get("items", {}))
    return f"a list{count}, each {items}" if items != "a value" else f"a list{count}"
