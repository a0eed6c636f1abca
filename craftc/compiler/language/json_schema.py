"""Builds the JSON Schema (draft 2020-12) of the language from the annotations of sections and the catalogue."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from craftc.compiler.language.component_fields import EACH, component_fields
from craftc.compiler.language.field_words import TERMS
from craftc.compiler.language.section_schema import NONE, section_schema
from craftc.schemas.catalogue import REMOVE, Catalogue, ComponentEntry
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.language import PROGRAM, Language
from craftc.schemas.terms import TERM_NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOLDS = {"$ref", "items", "additionalProperties"}
_KEPT = ("description", "default", "minItems", "examples")
OWN_KIND = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
"""A component of the user's own, `package.module:Name`; its arguments are known to its source alone."""
BUILT_IN_ONLY = ("samplers", "pruners")
"""Groups whose components the study makes itself."""


def json_schema(catalogue: Catalogue) -> dict[str, Any]:
    """The schema of a whole spec, any kind of a group being one option; `editor_schema.py` publishes it."""
    schema = spec_schema()
    definitions = schema["$defs"]
    # From the end: a section that is a component too, objective, comes after the components within it.
    for field in reversed(component_fields()):
        properties = _properties(schema, field.path[:-1])
        name = str(field.path[-1])
        component = {"$ref": f"#/$defs/{field.group}"}
        reserved = {key: _properties(schema, field.path)[key] for key in sorted(field.reserved)}
        needed = [key for key in reserved if field.field.sections[0].fields[key].is_required]
        kept = {key: value for key, value in properties[name].items() if key in _KEPT}
        if field.by_name and not field.many:
            # The terms of an objective have a key of their own, and may be of any of its kinds.
            definitions[name] = _group(catalogue, field.group, reserved, needed)
            named = {"anyOf": [{"$ref": f"#/$defs/{name}"}, NONE]}
            terms = {"propertyNames": {"pattern": TERM_NAME}, "additionalProperties": named}
            properties[name] = {"anyOf": [{"type": "object", **terms}, NONE], **kept}
            continue
        definitions[field.group] = _group(catalogue, field.group, reserved, needed)
        if TERMS in reserved:
            definitions[field.group]["anyOf"].append(_sum(reserved))
        value: dict[str, Any] = {"type": "array", "items": component} if field.many else component
        if field.by_name:
            value = _by_name(value)
        elif field.field.is_emptied:
            value = {"anyOf": [value, NONE]}
        properties[name] = {**value, **kept}
    for model in ("Component", "Augmentation", "Objective", "Term", "AfterStage", "Program"):
        del definitions[model]
    return {"$schema": DIALECT, "title": "craftc experiment, version 1", **schema}


def _by_name(phases: dict[str, Any]) -> dict[str, Any]:
    """A mapping of phases of values by names of the user's own; a number is a constant one."""
    entry = {"anyOf": [{"type": "number"}, {**phases, "minItems": 1}, NONE]}
    return {"anyOf": [{"type": "object", "additionalProperties": entry}, NONE]}


def spec_schema() -> dict[str, Any]:
    """The schema of the sections, with any mapping that has a `kind` in the place of components."""
    schema = section_schema(Language)
    # Not written, it is not off: the best epoch is then that of the least valid/loss.
    del schema["$defs"]["Evaluation"]["properties"]["select"]["default"]
    # A pattern alone is the modules of an entry.
    removals = schema["$defs"]["Model"]["properties"][REMOVE]["anyOf"][0]
    removals["additionalProperties"]["anyOf"] += schema["$defs"]["Removal"]["properties"]["modules"]["anyOf"]
    # A program stands in the place of other sections, as `editor_schema.py` says of the whole.
    schema["required"].remove(PROGRAM)
    return schema


def _properties(schema: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The `properties` of the section at a path."""
    section = schema
    for part in path:
        found = section["additionalProperties"] if part == EACH else section["properties"][part]
        section = _follow(schema, _held(found))
    values = section.get("additionalProperties")
    if isinstance(values, dict) and "properties" not in section:
        # What stands by names of the user's own.
        section = _follow(schema, _held(values))
    properties: dict[str, Any] = section.get("properties", {})
    return properties


def _held(field: dict[str, Any]) -> dict[str, Any]:
    """What a field holds, or each item of a list: of what can be switched off, that is one of two options."""
    inner = next((option for option in field.get("anyOf", []) if _HOLDS & option.keys()), field)
    items: dict[str, Any] = inner.get("items", inner)
    return items


def _group(catalogue: Catalogue, group: str, reserved: dict[str, Any], needed: Sequence[str]) -> dict[str, Any]:
    """Any component of a group: by name alone where it needs no arguments, or as a mapping. `needed` are those of the
    keys `reserved` for the section that have to be given."""
    entries = [entry for entry in catalogue.entries if entry.group == group]
    by_name = [
        {"const": entry.kind, "description": entry.summary}
        for entry in entries
        if not needed and not any(parameter.required for parameter in entry.parameters)
    ]
    built_in = [*by_name, *(_entry(entry, reserved, needed) for entry in entries)]
    if group in BUILT_IN_ONLY:
        return {"anyOf": built_in}
    named = {"type": "string", "pattern": OWN_KIND, "description": "Your own, as package.module:Name."}
    own = {
        "type": "object",
        "description": "Your own class or function; its signature says what it takes.",
        "properties": {"kind": named, **reserved},
        "required": ["kind", *needed],
    }
    return {"anyOf": [*built_in, *([] if needed else [named]), own]}


def _sum(reserved: dict[str, Any]) -> dict[str, Any]:
    """In the place of a component, several that are added up."""
    return {
        "type": "object",
        "description": "A sum of objectives.",
        "properties": reserved,
        "required": [TERMS],
        "additionalProperties": False,
    }


def _type(fragment: dict[str, Any], *, refers: bool) -> dict[str, Any]:
    """An argument's type; one that takes a component of a group may refer to the group's definition."""
    if (group := fragment.get("group")) is None:
        return fragment
    plain = {key: value for key, value in fragment.items() if key != "group"}
    return {"$ref": f"#/$defs/{group}", "type": "object"} if refers else plain


def _entry(
    entry: ComponentEntry, reserved: dict[str, Any], needed: Sequence[str] = (), *, refers: bool = True
) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": {"const": entry.kind, "description": entry.summary}}
    for parameter in entry.parameters:
        described = {"description": parameter.doc} if parameter.doc else {}
        default = {} if parameter.default is None else {"default": parameter.default}
        properties[parameter.name] = {**_type(parameter.type, refers=refers), **described, **default}
    return {
        "type": "object",
        "description": entry.summary,
        "properties": {**properties, **reserved},
        "required": ["kind", *needed, *(p.name for p in entry.parameters if p.required)],
        "additionalProperties": False,
    }


def entry_schema(entry: ComponentEntry) -> dict[str, Any]:
    """The schema of one component by itself."""
    return {"$schema": DIALECT, **_entry(entry, {}, refers=False)}


def schema_at(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """The part of the schema for one field, with what it refers to. Raises KeyError where there is no such field."""
    found = schema
    for index, part in enumerate(path):
        options = list(_options(schema, found))
        fields = [field for option in options if (field := _field(option, part)) is not None]
        if not fields:
            raise KeyError(format_path(path[: index + 1]))
        distinct = {json.dumps(field, sort_keys=True): field for field in fields}
        found = _follow(schema, fields[0] if len(distinct) == 1 else {"anyOf": list(distinct.values())})
    if not path:
        return schema
    definitions = _referred(schema, found)
    return {"$schema": DIALECT, **found, **({"$defs": definitions} if definitions else {})}


def _options(schema: Mapping[str, Any], fragment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that a fragment allows, also by what its options refer to."""
    followed = _follow(schema, fragment)
    if "anyOf" not in followed:
        yield followed
    for option in followed.get("anyOf", ()):
        yield from _options(schema, option)


def _field(option: dict[str, Any], part: str | int) -> dict[str, Any] | None:
    if isinstance(part, int):
        return option.get("items")
    found = option.get("properties", {}).get(part, option.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _referred(schema: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """The definitions that a fragment refers to, and those that they refer to."""
    reached: dict[str, Any] = {}
    texts = [json.dumps(fragment)]
    while texts:
        for name in re.findall(r'"#/\$defs/(\w+)"', texts.pop()):
            if name not in reached:
                reached[name] = schema["$defs"][name]
                texts.append(json.dumps(reached[name]))
    return reached


def _follow(schema: Mapping[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in fragment:
        return fragment
    target = schema["$defs"][fragment["$ref"].rsplit("/", 1)[-1]]
    return {**target, **{key: value for key, value in fragment.items() if key != "$ref"}}
