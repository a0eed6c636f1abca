"""Looks up what the language says of a place in a spec: its schema, its component, whether it is required."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from craftc.compiler.language.component_fields import ComponentField, component_fields
from craftc.compiler.language.removals import as_removals, is_removal
from craftc.schemas.diagnostic import Path

NONE = "none"
VALUES, CONSTANT = "values", "constant"
"""The group of the phases of values, and the kind of a phase that keeps one number."""


@lru_cache(maxsize=1024)
def component_field(path: Path) -> ComponentField | None:
    """The field whose component, or list of them, stands at a path."""
    return next((field for field in component_fields() if field.holds(path) or field.is_list(path)), None)


def as_component(target: Path, value: Any) -> Any:
    """A value with each component that is named alone as a mapping with its kind, as it is everywhere in a spec."""
    if is_removal(target):
        return as_removals(target, value)
    field = component_field(target)
    if field is None:
        return value
    if (field.by_name or (field.holds(target) and field.many)) and isinstance(value, str) and value == NONE:
        return value  # it takes the entry away, or the item out
    return as_components(field, value) if field.is_list(target) else _spelled_out(value)


def as_components(field: ComponentField, value: Any) -> Any:
    """A list of components likewise; a number alone is a constant phase of a value."""
    if field.group == VALUES and isinstance(value, int | float) and not isinstance(value, bool):
        return [{"kind": CONSTANT, "value": value}]
    return [item if item == NONE else _spelled_out(item) for item in value] if isinstance(value, list) else value


def _spelled_out(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    from craftc.compiler.language.json_schema import spec_schema  # only where there is a mistake to describe

    return spec_schema()


@lru_cache(maxsize=1024)
def fragment_at(path: Path) -> dict[str, Any]:
    """The JSON Schema of the place at `path`, references followed; empty where the schema says nothing."""
    schema = _schema()

    def follow(fragment: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in fragment:
            target = schema["$defs"][fragment["$ref"].rsplit("/", 1)[-1]]
            fragment = {**target, **{key: value for key, value in fragment.items() if key != "$ref"}}
        if "anyOf" in fragment:
            fragment = {**fragment, "anyOf": [follow(part) for part in fragment["anyOf"]]}
        return fragment

    fragment = follow(schema)
    for part in path:
        options = fragment.get("anyOf", [fragment])
        fragment = {}
        for option in options:
            found = (
                option.get("items") if isinstance(part, int)
                else option.get("properties", {}).get(part, option.get("additionalProperties"))
            )  # fmt: skip
            if isinstance(found, dict):
                fragment = follow(found)
                break
    return fragment


@lru_cache(maxsize=1)
def required_paths() -> frozenset[Path]:
    """Every path of the schema that must be given."""

    def walk(fragment: dict[str, Any], prefix: Path) -> Iterable[Path]:
        for name in (*fragment.get("required", []), *fragment.get("then", {}).get("required", [])):
            yield (*prefix, name)
        for name in fragment.get("properties", {}):
            inner = fragment_at((*prefix, name))
            for option in inner.get("anyOf", [inner]):
                yield from walk(option, (*prefix, name))

    return frozenset(walk(fragment_at(()), ()))
