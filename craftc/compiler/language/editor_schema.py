"""Turns the language's JSON Schema into the published schemas: of a spec, of a base, of a search space.

They accept the same values, in a form that editors complete well: a language server offers the keys of an
`anyOf` option only once it is sure of the option, and is never sure of one of several mappings while they are being
written. So a component is one mapping whose `kind` lists what there is, and each kind adds its arguments by `if`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from craftc.compiler.language.component_fields import component_fields
from craftc.compiler.language.field_words import GROUPS, TERMS, kinds, takes, target, yaml_value
from craftc.compiler.language.json_schema import DIALECT, OWN_KIND, json_schema
from craftc.compiler.language.required_first import put_required_first
from craftc.compiler.language.section_schema import NONE
from craftc.schemas.catalogue import RANGE_FORMS, Catalogue
from craftc.schemas.language import PROGRAM, SECTIONS, is_of
from craftc.schemas.program_spec import ProgramSpec

OPEN = (("data", "splits"), ("ablation", "features"), ("ablation", "grid"), ("ablation", "zip"), ("search", "space"))
"""Mappings whose keys are the user's: `none` takes away an entry of a base, or of a search space that is used."""
SPLIT_NAME = r"^(?![0-9]+$)[^/.]+$"
TAKEN_AWAY = {"const": "none", "description": "Takes away what a base has under this key."}
NUM_OFFERED_ITEMS = 2
"""For how many items of a list of components paths are offered; any other is taken too."""


def published_schemas(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Each published schema by the name of its file, without version and ending."""
    return {
        "experiment": experiment_schema(catalogue),
        "base": base_schema(catalogue),
        "search_space": search_space_schema(catalogue),
    }


def experiment_schema(catalogue: Catalogue) -> dict[str, Any]:
    """A spec. What must be given may stand in a base instead, so that nothing is required beside `extends`."""
    whole = json_schema(catalogue)
    schema = base_schema(catalogue)
    needed, of_program = _requirements(whole, whole), _requirements(whole, _of_program(whole))
    for path in OPEN:
        _forbid_none(needed, path)
        if path[0] in ProgramSpec.fields:
            _forbid_none(of_program, path)
    return {
        **schema,
        "title": whole["title"],
        "description": whole["description"],
        "if": {"required": ["extends"]},
        "then": True,
        "else": {"if": {"required": [PROGRAM]}, "then": of_program, "else": needed},
    }


def base_schema(catalogue: Catalogue) -> dict[str, Any]:
    """A spec of which any part may be missing."""
    whole = json_schema(catalogue)
    schema = _published(whole)
    lists = {field.group for field in component_fields() if field.many}
    for name, definition in [("", schema), *schema["$defs"].items()]:
        if name in GROUPS:
            # The items of a list are never merged with those of another, so that they are whole.
            if name not in lists:
                _forget_required(definition["anyOf"][-1])
        elif "properties" in definition:
            for key in ("required", "if", "then"):
                definition.pop(key, None)
    common = "What specs that extend it have in common."
    return {**schema, "title": "craftc base, version 1", "description": common, "allOf": [_beside_program()]}


def _of_program(whole: dict[str, Any]) -> dict[str, Any]:
    """Of the whole language, what a spec has that a program trains by."""
    properties = {name: whole["properties"][name] for name in ProgramSpec.fields}
    for name in ("training", "evaluation"):
        section = _follow(whole, properties[name])["properties"]
        properties[name] = {
            "properties": {key: field for key, field in section.items() if is_of(ProgramSpec, (name, key))}
        }
    required = [name for name, field in ProgramSpec.fields.items() if field.is_required]
    return {"properties": properties, "required": required}


def _beside_program() -> dict[str, Any]:
    """What a spec that a program trains by may not have."""
    refused: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        if not is_of(ProgramSpec, (name,)):
            refused[name] = False
        elif foreign := [key for key in section.fields if not is_of(ProgramSpec, (name, key))]:
            refused[name] = {"properties": dict.fromkeys(foreign, False), "doNotSuggest": True}
    return {"if": {"required": [PROGRAM]}, "then": {"properties": refused}}


def search_space_schema(catalogue: Catalogue) -> dict[str, Any]:
    """A file of ranges that `search.use` names."""
    schema = _published(json_schema(catalogue))
    space = schema["$defs"]["Search"]["properties"]["space"]
    return {
        "$schema": DIALECT,
        "title": "craftc search space, version 1",
        "description": "Path to range: the values that a search may give each path.",
        **{key: value for key, value in space.items() if key not in ("description", "markdownDescription", "default")},
        "$defs": {"ParameterRange": schema["$defs"]["ParameterRange"]},
    }


def _published(whole: dict[str, Any]) -> dict[str, Any]:
    """The whole language with kinds distinguished by `if`, paths offered as keys, and a longer text for each key."""
    _offer_paths(whole)
    for name, definition in [("", whole), *whole["$defs"].items()]:
        if name in GROUPS:
            for option in definition["anyOf"]:
                _explain(whole, option.get("properties", {}))
        else:
            _explain(whole, definition.get("properties", {}))
    described = {name: kinds(whole["$defs"][name]) for name in GROUPS}
    lists = {field.group for field in component_fields() if field.many}
    definitions = {
        name: _by_kind(definition, described[name], may_be_none=name in lists) if name in GROUPS else definition
        for name, definition in whole["$defs"].items()
    }
    _let_none_take_away(definitions)
    whole["$defs"]["Splits"]["propertyNames"] = {"pattern": SPLIT_NAME}
    whole["$defs"]["ParameterRange"]["oneOf"] = [{"required": [form]} for form in RANGE_FORMS]
    published = {**whole, "$defs": definitions}
    put_required_first(published)
    return published


def _explain(whole: dict[str, Any], properties: dict[str, Any]) -> None:
    """Say in `markdownDescription`, which editors prefer to `description`, also what is taken and the default."""
    for field in properties.values():
        if "const" in field or "markdownDescription" in field:
            continue
        text = _description(whole, field)
        default = f" Default: `{yaml_value(field['default'])}`." if "default" in field else ""
        words = takes(whole, field)
        field["markdownDescription"] = f"{text}{default}\n\n{words[:1].upper()}{words[1:]}."


def _by_kind(group: dict[str, Any], described: Mapping[str, str], *, may_be_none: bool) -> dict[str, Any]:
    """One mapping whose arguments depend on its kind, beside the names that stand for themselves."""
    names = [option for option in group["anyOf"] if "properties" not in option]
    entries = [option for option in group["anyOf"] if "kind" in option.get("properties", {})]
    sums = [option for option in group["anyOf"] if "kind" not in option.get("properties", {"kind": {}})]
    own: dict[str, Any] = next(
        (entry["properties"] for entry in entries if "pattern" in entry["properties"]["kind"]), {}
    )
    # A kind of the user's own has none but those that belong to the section.
    reserved = {name: field for name, field in own.items() if name != "kind"}
    listed = [{"const": kind, "description": summary} for kind, summary in described.items()]
    rules = []
    for entry in entries:
        kind = entry["properties"]["kind"]
        is_it = {"const": kind["const"]} if "const" in kind else {"pattern": OWN_KIND}
        then = {key: entry[key] for key in ("properties", "required", "additionalProperties") if key in entry}
        # What all kinds have in common is described once, below; named here, so that only what is unknown is refused.
        then["properties"] = {**then["properties"], **dict.fromkeys(["kind", *reserved], True)}
        rules.append({"if": {"properties": {"kind": is_it}, "required": ["kind"]}, "then": then})
    component = {
        "type": "object",
        "title": "component",
        "properties": {
            "kind": {
                "description": "Which one.",
                "anyOf": [*listed, *([own["kind"]] if own else [])],
            },
            **reserved,
        },
        "required": ["kind"],
        "allOf": rules,
    }
    if sums:
        # Terms stand in the place of a kind.
        del component["required"]
        component |= {"if": {"not": {"required": [TERMS]}}, "then": {"required": ["kind"]}}
        allowed = {"properties": dict.fromkeys(reserved, True), "additionalProperties": False}
        rules.append({"if": {"required": [TERMS]}, "then": allowed})
    taken_out = [{**NONE, "description": "Takes the item out of its list."}] if may_be_none else []
    return {"anyOf": [*names, *taken_out, component]}


def _forget_required(component: dict[str, Any]) -> None:
    for key in ("required", "if", "then"):
        component.pop(key, None)
    for rule in component["allOf"]:
        rule["then"].pop("required", None)


def _requirements(whole: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """Only what must be given, at any depth outside lists; an editor that reads these too would offer keys twice."""
    if target(fragment) in GROUPS:
        group = whole["$defs"][target(fragment)]["anyOf"]
        entries = [option for option in group if "kind" in option.get("properties", {})]
        rules = []
        for entry in entries:
            kind, needed = entry["properties"]["kind"], [name for name in entry["required"] if name != "kind"]
            if needed:
                is_it = {"properties": {"kind": {"const": kind["const"]}}, "required": ["kind"]}
                rules.append({"if": is_it, "then": {"required": needed}})
        is_sum = any("kind" not in option.get("properties", {"kind": {}}) for option in group)
        always: dict[str, Any] = _kind_unless_terms() if is_sum else {"required": ["kind"]}
        return {**always, **({"allOf": rules} if rules else {})}
    options = [_follow(whole, option) for option in fragment.get("anyOf", [fragment])]
    section: dict[str, Any] = next((option for option in options if "properties" in option), {})
    inner = {name: _requirements(whole, field) for name, field in section.get("properties", {}).items()}
    inner = {name: needed for name, needed in inner.items() if needed}
    required = {key: section[key] for key in ("required", "if", "then") if section.get(key)}
    return {**required, **({"properties": {k: {**v, "doNotSuggest": True} for k, v in inner.items()}} if inner else {})}


def _kind_unless_terms() -> dict[str, Any]:
    """What an objective must have, and each of its terms where it has them."""
    term = {"if": {"type": "object"}, "then": {"required": ["kind"]}, "doNotSuggest": True}
    terms = {"type": "object", "additionalProperties": term, "doNotSuggest": True}
    return {
        "if": {"not": {"required": [TERMS]}},
        "then": {"required": ["kind"]},
        "properties": {TERMS: {"anyOf": [terms, NONE], "doNotSuggest": True}},
    }


def _forbid_none(needed: dict[str, Any], path: tuple[str, ...]) -> None:
    """Without a base there is nothing to take away."""
    section = needed
    for part in path[:-1]:
        section = section.setdefault("properties", {}).setdefault(part, {"doNotSuggest": True})
    entries: dict[str, Any] = {"doNotSuggest": True, "additionalProperties": {"not": {"const": "none"}}}
    if path == ("search", "space"):
        section.setdefault("allOf", []).append(
            {"if": {"required": ["use"]}, "else": {"properties": {"space": entries}}}
        )
    else:
        section.setdefault("properties", {}).setdefault(path[-1], {}).update(entries)


def _let_none_take_away(definitions: dict[str, Any]) -> None:
    places = [definitions["PathValues"], definitions["Splits"]]
    places += [_filled(definitions["Ablation"]["properties"]["features"]), definitions["Search"]["properties"]["space"]]
    for place in places:
        place["additionalProperties"] = {"anyOf": [place["additionalProperties"], TAKEN_AWAY]}
        for name, field in place.get("properties", {}).items() if place is not definitions["Splits"] else ():
            said = {key: field[key] for key in ("description", "markdownDescription") if key in field}
            rest = {key: value for key, value in field.items() if key not in said}
            place["properties"][name] = {**said, "anyOf": [rest, TAKEN_AWAY]}


def _follow(whole: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    name = target(fragment)
    return fragment if name is None else dict(whole["$defs"][name])


def _offer_paths(whole: dict[str, Any]) -> None:
    """Name the fields that can be varied as keys where a spec writes paths; any other key is still taken."""
    paths: dict[str, list[dict[str, Any]]] = {}
    for name in SECTIONS:
        for path, field in _paths(whole, name, whole["properties"][name]):
            paths.setdefault(path, []).append(field)
    described = {path: _described(whole, fields) for path, fields in paths.items()}
    choices = {path: [choice for field in fields for choice in _choices(field)] for path, fields in paths.items()}
    definitions = whole["$defs"]
    ablation = definitions["Ablation"]["properties"]
    values, settings = {}, {}
    for path, text in described.items():
        # Only offered: which values fit depends on the kind, and on what else the variant sets.
        offered = {"anyOf": [*({"const": choice} for choice in dict.fromkeys(choices[path])), {}]}
        value = offered if choices[path] else {}
        values[path] = {**text, "type": "array", "minItems": 1, "items": value}
        settings[path] = {**text, **value}
    definitions["PathValues"] = {**_mapping(_filled(ablation["grid"])), "properties": values}
    definitions["PathSettings"] = {**_mapping(_filled(ablation["exclude"])["items"]), "properties": settings}
    for name in ("grid", "zip"):
        ablation[name] = {"anyOf": [{"$ref": "#/$defs/PathValues"}, NONE], **_said(ablation[name])}
    _filled(ablation["features"])["additionalProperties"] = {"$ref": "#/$defs/PathSettings"}
    _filled(ablation["exclude"])["items"] = {"$ref": "#/$defs/PathSettings"}
    definitions["Search"]["properties"]["space"]["properties"] = {
        path: {"$ref": "#/$defs/ParameterRange", **text} for path, text in described.items()
    }


def _filled(field: dict[str, Any]) -> dict[str, Any]:
    """What may stand where `none` stands for an empty list or mapping."""
    filled: dict[str, Any] = field["anyOf"][0]
    return filled


def _mapping(field: dict[str, Any]) -> dict[str, Any]:
    return {key: field[key] for key in ("type", "additionalProperties", "minProperties") if key in field}


def _said(field: dict[str, Any]) -> dict[str, Any]:
    return {key: field[key] for key in ("description", "default") if key in field}


def _described(whole: dict[str, Any], fields: list[dict[str, Any]]) -> dict[str, str]:
    """What a path sets, and what that takes with one kind or another."""
    text = _description(whole, fields[0])
    words = ", or ".join(dict.fromkeys(takes(whole, field) for field in fields))
    return {"description": text, "markdownDescription": f"{text}\n\n{words[:1].upper()}{words[1:]}."}


def _description(whole: dict[str, Any], field: dict[str, Any]) -> str:
    return str(field.get("description") or whole["$defs"].get(target(field), {}).get("description", ""))


def _choices(field: dict[str, Any]) -> list[str]:
    found = [option for part in field.get("anyOf", [field]) for option in [part.get("const"), *part.get("enum", [])]]
    return [choice for choice in found if isinstance(choice, str)]


def _paths(whole: dict[str, Any], path: str, field: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that a path leads to; an argument once for each kind that takes it."""
    if path not in SECTIONS or target(field) in GROUPS:
        yield path, field
    for option in field.get("anyOf", [field]):
        if target(option) in GROUPS:
            entries = whole["$defs"][target(option)]["anyOf"]
            for entry in (entry for entry in entries if "const" in entry.get("properties", {}).get("kind", {})):
                for name, argument in entry["properties"].items():
                    if name not in ("kind", TERMS) and (name, target(argument)) != ("metrics", None):
                        yield f"{path}.{name}", argument
        elif target(option.get("items", {})) in GROUPS:
            for index in range(NUM_OFFERED_ITEMS):
                yield from _paths(whole, f"{path}.{index}", option["items"])
        else:
            section = _follow(whole, option) if target(option) else {}
            for name, inner in section.get("properties", {}).items():
                yield from _paths(whole, f"{path}.{name}", inner)
