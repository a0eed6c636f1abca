"""Builds the JSON Schema of a section, and of the sections within it, from its annotations."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from craftc.schemas.section import (
    Section,
    SectionField,
    SwitchedOffByNone,
    as_tree,
    bare,
    in_words_of_schema,
    is_section,
    options,
)
from craftc.schemas.spec import Component

_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}
NONE = {"const": "none"}


def section_schema(section: type[Section]) -> dict[str, Any]:
    """The schema of a section; those within it are its `$defs`. What may be left out is never null: it says `none`
    where it can be switched off, and defaults as a spec would write them."""
    definitions: dict[str, dict[str, Any]] = {}
    schema = _section(section, definitions)
    return {"$defs": dict(sorted(definitions.items())), **schema}


def _section(section: type[Section], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    others = False if section.open_to is None else _fragment(section.open_to, {}, definitions) or True
    required = [name for name, field in section.fields.items() if field.is_required and not field.required_unless]
    return {
        "additionalProperties": others,
        "description": inspect.cleandoc(section.__doc__ or ""),
        **_needed_unless(section),
        "properties": {name: _property(field, definitions) for name, field in section.fields.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _needed_unless(section: type[Section]) -> dict[str, Any]:
    """The condition of the key that others stand in for; a section has one at most."""
    for name, field in section.fields.items():
        if field.required_unless:
            given = [{"required": [other]} for other in field.required_unless]
            return {"if": {"not": {"anyOf": given}}, "then": {"required": [name]}}
    return {}


def _property(field: SectionField, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema = _fragment(field.annotation, field.bounds, definitions)
    if field.is_switch or field.is_emptied:
        schema = {"anyOf": [schema, NONE]}
    default = None if field.is_required else _written(field.make_default())
    if field.is_switch and default is None:
        default = "none"
    if default is not None:
        schema["default"] = default
    # What is the section's own description is said there.
    if field.description and not any(field.description == inspect.cleandoc(s.__doc__ or "") for s in field.sections):
        schema["description"] = field.description
    if field.examples:
        schema["examples"] = list(field.examples)
    return dict(sorted(schema.items()))


def _fragment(annotation: Any, outer: Mapping[str, Any], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind, marks, inner = bare(annotation)
    if any(isinstance(mark, SwitchedOffByNone) for mark in marks):
        return {"anyOf": [_fragment(kind, {**inner, **outer}, definitions), NONE]}
    bounds = {**inner, **outer}
    several = options(kind)
    if len(several) > 1:
        return {"anyOf": [_fragment(option, {}, definitions) for option in several]}
    if several[0] is not kind:
        return _fragment(several[0], bounds, definitions)
    if kind is Any:
        return {}
    if is_section(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            definitions[kind.__name__] = _section(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return dict(sorted({**_plain(kind, definitions), **in_words_of_schema(kind, bounds)}.items()))


def _plain(kind: Any, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if kind in _TYPES:
        return {"type": _TYPES[kind]}
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        types = {_TYPES[type(value)] for value in arguments}
        values = {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
        return {**values, "type": types.pop()} if len(types) == 1 else values
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _fragment(arguments[1], {}, definitions) or True}
    item = _fragment(arguments[0], {}, definitions)
    # A component may be named alone in the place of its mapping; what else it may be is said of its group.
    is_taken_out = is_section(arguments[0]) and not issubclass(arguments[0], Component)
    return {"type": "array", "items": {"anyOf": [item, NONE]} if is_taken_out else item}


def _written(value: Any) -> Any:
    """A default as a spec would say it; None for what it would leave out."""
    if isinstance(value, Component):
        return value.kind
    if isinstance(value, Section):
        return as_tree(value, given_only=True) or None
    return [_written(item) for item in value] if isinstance(value, tuple) else value
