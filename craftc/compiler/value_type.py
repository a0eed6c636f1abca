"""A JSON Schema fragment as a type to validate with, and as words for a message."""

import json
from functools import lru_cache
from typing import Annotated, Any, Literal, Union

from pydantic import ConfigDict, Field, InstanceOf, TypeAdapter

COMPONENT: dict[str, Any] = {"type": "object", "required": ["kind"]}
"""What an object of some class is in a spec: a component in an argument's place."""


class Nested:
    """Marks a mapping as a component in an argument's place, so that it is told from any other mapping."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value


_SIMPLE: dict[str, Any] = {"string": str, "boolean": bool, "null": None}
_BOUNDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}


def options(fragment: dict[str, Any]) -> list[dict[str, Any]]:
    """The types that a fragment allows, one by one."""
    parts: list[dict[str, Any]] = fragment.get("anyOf", [fragment])
    return parts


def adapter(fragment: dict[str, Any]) -> TypeAdapter[Any]:
    """A validator for values of that fragment: strict, finite numbers only."""
    return _adapter(json.dumps(fragment, sort_keys=True))


@lru_cache(maxsize=1024)
def _adapter(fragment_json: str) -> TypeAdapter[Any]:
    return TypeAdapter(_python_type(json.loads(fragment_json)), config=ConfigDict(strict=True, allow_inf_nan=False))


def _python_type(fragment: dict[str, Any]) -> Any:
    if "anyOf" in fragment:
        return Union[tuple(_python_type(part) for part in fragment["anyOf"])]  # noqa: UP007 (built at run time)
    if "enum" in fragment:
        return Literal[tuple(fragment["enum"])]
    if "const" in fragment:
        return Literal[fragment["const"]]
    if fragment == COMPONENT:
        return InstanceOf[Nested]
    kind = fragment.get("type")
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind in ("integer", "number"):
        bounds = {ours: fragment[theirs] for theirs, ours in _BOUNDS.items() if theirs in fragment}
        number = int if kind == "integer" else float
        return Annotated[number, Field(**bounds)]
    if kind == "array":
        item = _python_type(fragment.get("items", {}))
        return Annotated[
            list[item],  # type: ignore[valid-type]
            Field(min_length=fragment.get("minItems"), max_length=fragment.get("maxItems")),
        ]
    if kind == "object":
        value = fragment.get("additionalProperties", {})
        return dict[str, _python_type(value if isinstance(value, dict) else {})]  # type: ignore[misc]
    return Any


def describe(fragment: dict[str, Any]) -> str:
    """What is expected, in words: `a whole number >= 1, or none`."""
    if "anyOf" in fragment:
        return ", or ".join(dict.fromkeys(describe(part) for part in fragment["anyOf"] if part.get("type") != "null"))
    if "enum" in fragment:
        names = [str(name) for name in fragment["enum"]]
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    if "const" in fragment:
        return str(fragment["const"])
    if fragment == COMPONENT:
        return "a component: a mapping with kind"
    kind = fragment.get("type")
    if kind in ("integer", "number"):
        bounds = " and ".join(_describe_bounds(fragment))
        return f"{'a whole number' if kind == 'integer' else 'a number'} {bounds}".rstrip()
    if kind == "array":
        return _describe_array(fragment)
    if kind == "string" and fragment.get("format") == "path":
        return "a path"
    if kind == "object" and fragment.get("maxProperties"):
        return f"a mapping of at most {fragment['maxProperties']} keys"
    if kind == "object" and fragment.get("minProperties"):
        return "a mapping with at least one key"
    words = {"string": "text", "boolean": "true or false", "object": "a mapping"}
    return words.get(str(kind), "a value")


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
