"""The language as a JSON Schema (draft 2020-12): the sections from their models, the components from the catalogue."""

import copy
from typing import Any

from craftc.compiler.component_fields import component_fields
from craftc.schemas.catalogue import Catalogue, ComponentEntry
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(catalogue: Catalogue) -> dict[str, Any]:
    """The schema of a whole spec; an editor's YAML language server completes and explains every key with it."""
    schema = copy.deepcopy(Spec.model_json_schema())
    definitions = schema["$defs"]
    for field in component_fields():
        component = {"$ref": f"#/$defs/{field.group}"}
        owner = _section(schema, field.path[:-1])
        kept = {key: value for key, value in owner[field.path[-1]].items() if key in ("description", "minItems")}
        if field.many:
            owner[field.path[-1]] = {"type": "array", "items": component, **kept}
        elif field.reserved:
            properties = definitions["Objective"]["properties"]
            reserved = {name: properties[name] for name in sorted(field.reserved)}
            owner[field.path[-1]] = {**_component(catalogue, field.group, reserved), **kept}
        else:
            owner[field.path[-1]] = {**component, **kept}
        definitions[field.group] = _component(catalogue, field.group, {})
    reserved_definition = definitions.pop("Objective")
    schema["properties"]["objective"] = _with_metrics(schema["properties"]["objective"], reserved_definition)
    definitions.pop("Component")
    return {"$schema": DIALECT, "title": "craftc experiment, version 1", **_without_titles(schema)}


def _with_metrics(objective: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    metrics = {"type": "array", "items": {"$ref": "#/$defs/metrics"}}
    metrics["description"] = definition["properties"]["metrics"]["description"]
    for option in objective["anyOf"]:
        if "properties" in option:
            option["properties"]["metrics"] = metrics
    return objective


def _section(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """The `properties` of the section at a path."""
    section = schema
    for part in path:
        section = section["properties"][part]
        if "$ref" in section:
            section = schema["$defs"][section["$ref"].rsplit("/", 1)[-1]]
    properties: dict[str, Any] = section["properties"]
    return properties


def _component(catalogue: Catalogue, group: str, reserved: dict[str, Any]) -> dict[str, Any]:
    """Any component of a group: by name where it needs no arguments, or as a mapping."""
    entries = [entry for entry in catalogue.entries if entry.group == group]
    names = [entry.kind for entry in entries if not any(p.required for p in entry.parameters)]
    by_name = [{"enum": names}] if names else []
    return {"anyOf": [*by_name, *(_entry(entry, reserved) for entry in entries)]}


def _entry(entry: ComponentEntry, reserved: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": {"const": entry.kind, "description": entry.summary}}
    for parameter in entry.parameters:
        described = {"description": parameter.doc} if parameter.doc else {}
        default = {} if parameter.required else {"default": parameter.default}
        properties[parameter.name] = {**parameter.type, **described, **default}
    return {
        "type": "object",
        "description": entry.summary,
        "properties": {**properties, **reserved},
        "required": ["kind", *(p.name for p in entry.parameters if p.required)],
        "additionalProperties": False,
    }


def _without_titles(value: Any) -> Any:
    """pydantic titles every field by its own name, which tells a reader nothing."""
    if isinstance(value, dict):
        return {k: _without_titles(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


def schema_at(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """The part of the schema for one field, its references included. Raises KeyError where there is no such field."""
    found = schema
    for index, part in enumerate(path):
        options = [_follow(schema, option) for option in found.get("anyOf", [found])]
        inner = [
            option["items"] if isinstance(part, int) and "items" in option else option.get("properties", {}).get(part)
            for option in options
        ]
        fields = [field for field in inner if field is not None]
        if not fields:
            raise KeyError(format_path(path[: index + 1]))
        found = _follow(schema, fields[0] if len(fields) == 1 else {"anyOf": fields})
    return {"$schema": DIALECT, **found, "$defs": schema["$defs"]} if "$ref" in str(found) else {"$schema": DIALECT, **found}


def _follow(schema: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in fragment:
        return fragment
    target = schema["$defs"][fragment["$ref"].rsplit("/", 1)[-1]]
    return {**target, **{key: value for key, value in fragment.items() if key != "$ref"}}
