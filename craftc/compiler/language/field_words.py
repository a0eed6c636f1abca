"""Describes a field of the language's JSON Schema in words: what it takes and what its default is."""

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from craftc.compiler.language.value_type import describe
from craftc.schemas.catalogue import Group

TERMS = "terms"
"""The definition of the components of `objective.terms`: objectives, with a weight beside their arguments."""
GROUPS: tuple[str, ...] = (*get_args(Group), TERMS)
"""The definitions of components."""


def target(fragment: Mapping[str, Any]) -> str | None:
    """The definition that a field refers to."""
    return str(fragment["$ref"]).rpartition("/")[2] if "$ref" in fragment else None


def takes(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    """What a field takes: `a whole number >= 1`, `a component: adam, adamw, or your own as package.module:Name`."""
    if "anyOf" in field:
        return ", or ".join(dict.fromkeys(takes(schema, option) for option in field["anyOf"]))
    name = target(field)
    if name in GROUPS:
        group = schema["$defs"][name]
        kinds_of = [option.get("properties", {}).get("kind", option) for option in group["anyOf"]]
        own = ", or your own as package.module:Name" if any("pattern" in kind for kind in kinds_of) else ""
        return f"a component: {', '.join(kinds(group))}{own}"
    if name is not None or ("properties" in field and "kind" not in field["properties"]):
        return "a mapping"
    if "$ref" in field.get("items", {}):
        return f"a list, each {takes(schema, field['items'])}"
    if isinstance(values := field.get("additionalProperties"), dict) and values:
        # The word that takes an entry away is one of its own.
        entries = [option for option in values.get("anyOf", [values]) if option.get("const") != "none"]
        return f"a mapping, each value {takes(schema, {'anyOf': entries} if len(entries) > 1 else entries[0])}"
    pattern = f" matching {field['pattern']}" if "pattern" in field else ""
    return describe(dict(field)) + pattern


def kinds(group: Mapping[str, Any]) -> dict[str, str]:
    """The built-in kinds of a group's definition, each with what it is."""
    properties = [option["properties"].get("kind", {}) for option in group["anyOf"] if "properties" in option]
    return {kind["const"]: kind["description"] for kind in properties if "const" in kind}


_PLAIN = re.compile(
    r"[^\W\d_][^\x00-\x1f\x7f,\[\]{}#:]*(?<! )(:[^\x00-\x20\x7f,\[\]{}#:]+)*"  # words; a colon within one
    r"|[./_~$][\w./*$~-]*"  # paths
    r"|\d[\w.-]*[A-Za-z_][\w.-]*"
)
"""Texts that mean themselves without quotes, within braces too; some others do as well."""
_NO_TEXT = re.compile(
    r"true|false|null|True|False|Null|TRUE|FALSE|NULL|~|0[xo][\da-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[-+]?(\.\d+|\d+\.?\d*)([eE][-+]?\d+)?"
)
"""Those that would be read as something else than text."""


def yaml_value(value: Any) -> str:
    """A value as a spec would say it, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_value(str(key))}: {yaml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_value, value)) + "]"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and not _NO_TEXT.fullmatch(value)
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)
