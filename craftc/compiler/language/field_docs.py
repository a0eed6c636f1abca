"""Documents one path of the language for a person: what it is, what it takes, and its default."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from craftc.compiler.language.component_fields import EACH, ComponentField, component_fields
from craftc.compiler.language.declared_words import declared
from craftc.compiler.language.field_words import TERMS, kinds, takes, target, yaml_value
from craftc.compiler.language.json_schema import schema_at
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import did_you_mean, one_of
from craftc.schemas.catalogue import ANY_OTHER, Catalogue, ComponentEntry
from craftc.schemas.diagnostic import Path, format_path, parse_path

Row = tuple[str, ...]
EXAMPLE_NAME = "teacher_forcing"
"""What a component is called in an example of those with names of the user's own."""
UNLIKELY = ("none", "infer", None)
"""Defaults that an example would not show anything by."""


class UnknownPathError(LookupError):
    """There is no such field, or no such kind; the message says which are."""


@dataclass(frozen=True)
class FieldDocs:
    """`facts` are pairs of a word and what it says. `header` and `rows` are a table of keys or kinds."""

    title: str
    text: str
    facts: tuple[Row, ...] = ()
    example: str = ""
    header: Row = ()
    rows: tuple[Row, ...] = ()
    notes: str = ""


def field_docs(schema: Mapping[str, Any], catalogue: Catalogue, text: str) -> FieldDocs:
    """Documentation of the field at a path, in the language of `json_schema`. Raises UnknownPathError."""
    path = _through_lists(parse_path(text)) if text else ()
    field = _find(schema, catalogue, path)
    found = component_of(path[:-1]) if path and isinstance(path[-1], str) else None
    if found is not None and path[-1] != "kind" and path[-1] not in found.reserved:
        return _argument_docs(schema, catalogue, found, path)
    shown = dict(field)
    component = component_of(path) or (found if path and path[-1] == "kind" else None)
    facts: list[Row] = []
    if path:
        words = takes(schema, _unfollowed(schema, path))
        if component is not None and path[-1] == "kind":
            words = takes(schema, {"$ref": f"#/$defs/{component.group}"}).removeprefix("a component: ")
        facts.append(("takes", words))
        parent = _follow(schema, _find(schema, catalogue, path[:-1]))
        facts.append(_without(shown, str(path[-1]) in parent.get("required", []) or path[-1] == "kind"))
    header, rows = _table(schema, catalogue, component, shown)
    value = example_value(schema, _unfollowed(schema, path)) if path else None
    return FieldDocs(
        title=format_path(path) or "a spec",
        text=str(shown.get("description", "")),
        facts=tuple(fact for fact in facts if fact),
        example=written_at(path, value) if path else "",
        header=header,
        rows=rows,
        notes=_notes(component) if component else "",
    )


def _notes(component: ComponentField) -> str:
    said = f"craftc schema {quote(format_path(component.path))} --kind KIND lists its arguments."
    if TERMS in component.reserved:
        terms = quote(format_path((*component.path, TERMS)))
        said += f"\nTerms may stand in the place of a kind, as craftc schema {terms} says."
    return said


def component_docs(entry: ComponentEntry, field: ComponentField, argument: str | None = None) -> FieldDocs:
    """Documentation of a component: what it is, and its arguments, or one of them, as a table."""
    if argument is not None:
        found = entry.parameter(argument) or entry.parameter(ANY_OTHER)
        if found is None:
            known = [p.name for p in entry.parameters if p.name != ANY_OTHER]
            hint = did_you_mean(argument, known) or f"it takes {one_of(known)}"
            raise UnknownPathError(f'{entry.kind} has no argument "{argument}"; {hint}')
        entry = entry._replace(parameters=(found,))
    rows = tuple(
        (
            "any other" if p.name == ANY_OTHER else p.name,
            takes({}, p.type),
            "required" if p.required else "" if p.default is None else yaml_value(p.default),
            p.doc,
        )
        for p in entry.parameters
    )
    needed = {p.name: example_value({}, p.type) for p in entry.parameters if p.required and p.name != ANY_OTHER}
    value: Any = {"kind": entry.kind, **needed, **_needed_beside(field)}
    facts: list[Row] = [("kind of", format_path(field.path)), ("source", entry.target)]
    facts += declared(entry)
    if entry.constraints:
        facts.append(("needs", ", ".join(entry.constraints)))
    if entry.mode is not None:
        facts.append(("better when", "greater" if entry.mode == "max" else "less"))
    return FieldDocs(
        title=entry.kind,
        text="\n\n".join(part for part in (entry.summary, entry.doc) if part),
        facts=tuple(facts),
        example=written_at(example_place(field, entry.kind), _in_field(field, value)),
        header=("argument", "takes", "default", "meaning") if rows else (),
        rows=rows,
        notes="" if rows else "It takes no arguments.",
    )


def _in_field(field: ComponentField, component: dict[str, Any]) -> Any:
    """A component as its field has it."""
    value = [component] if field.many else component
    name = EXAMPLE_NAME if field.many else component["kind"].rpartition(":")[2]
    return {name: value} if field.by_name else value


def _needed_beside(field: ComponentField) -> dict[str, Any]:
    """The keys of the section that stand beside a component's arguments and have to be given, with an example."""
    keys = field.field.sections[0].fields
    return {name: keys[name].examples[0] for name in sorted(field.reserved) if keys[name].is_required}


def example_place(field: ComponentField, name: str) -> Path:
    """A place of a field, with a name in the place of keys of the user's own."""
    return tuple(name if part == EACH else part for part in field.path)


def component_of(path: Path) -> ComponentField | None:
    """The field that takes components at a path, or whose items are components there."""
    return next(
        (f for f in component_fields() if (f.is_at(path) and not f.by_name) or f.holds(path) or f.is_list(path)), None
    )


def _through_lists(path: Path) -> Path:
    """`data.augment.kind` is that of any item."""
    for field in component_fields():
        length = len(field.path) + field.by_name
        if len(path) > length and field.is_list(path[:length]) and isinstance(path[length], str):
            return (*path[:length], 0, *path[length:])
    return path


def _find(schema: Mapping[str, Any], catalogue: Catalogue, path: Path) -> dict[str, Any]:
    try:
        return schema_at(dict(schema), path)
    except KeyError as error:
        raise UnknownPathError(_not_found(schema, catalogue, str(error.args[0]), path)) from None


def _not_found(schema: Mapping[str, Any], catalogue: Catalogue, wrong: str, path: Path) -> str:
    start = parse_path(wrong)
    parent = _follow(schema, schema_at(dict(schema), start[:-1]))
    known = [name for option in _options(schema, parent) for name in option.get("properties", {})]
    message = f'there is no field "{wrong}"'
    name = str(start[-1])
    owner = next((f for f in component_fields() if name in catalogue.kinds(f.group)), None)
    if owner is not None:
        return f"{message}; {name} is a kind: craftc schema {quote(format_path(owner.path))} --kind {name}"
    if (near := nearest(name, known)) is not None:
        return f'{message}; did you mean "{format_path((*start[:-1], near))}"?'
    elsewhere = [p for p in _all_paths(schema, schema, ()) if p[-1] == path[-1]]
    if elsewhere:
        return f"{message}; did you mean {one_of(map(format_path, elsewhere))}?"
    return f"{message}; known are {one_of(dict.fromkeys(known))}" if known else message


def _all_paths(schema: Mapping[str, Any], fragment: Mapping[str, Any], prefix: Path) -> Iterable[Path]:
    for option in _options(schema, fragment):
        for name, field in option.get("properties", {}).items():
            if "kind" not in option["properties"]:
                yield (*prefix, name)
                yield from _all_paths(schema, _follow(schema, field), (*prefix, name))


def _options(schema: Mapping[str, Any], fragment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    followed = [_follow(schema, option) for option in fragment.get("anyOf", [fragment])]
    return [inner for one in followed for inner in (_options(schema, one) if "anyOf" in one else [one])]


def _follow(schema: Mapping[str, Any], fragment: Mapping[str, Any]) -> Mapping[str, Any]:
    name = target(fragment)
    rest = {key: value for key, value in fragment.items() if key != "$ref"}
    return fragment if name is None else {**schema["$defs"][name], **rest}


def _unfollowed(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The field as its section has it, a reference not followed."""
    if not path:
        return schema
    parent = _follow(schema, schema_at(dict(schema), path[:-1]))
    for option in _options(schema, parent):
        own = option.get("items") if isinstance(path[-1], int) else option.get("properties", {}).get(path[-1])
        if isinstance(own, dict):
            return own
    return schema_at(dict(schema), path)


def _without(field: Mapping[str, Any], is_required: bool) -> Row:
    if "default" in field:
        return ("default", yaml_value(field["default"]))
    return ("required", "yes") if is_required else ()


def _argument_docs(schema: Mapping[str, Any], catalogue: Catalogue, field: ComponentField, path: Path) -> FieldDocs:
    """An argument, which each kind that takes it may mean in its own way."""
    entries = [entry for entry in catalogue.entries if entry.group == field.group and entry.parameter(str(path[-1]))]
    found = [(entry.kind, parameter) for entry in entries if (parameter := entry.parameter(str(path[-1])))]
    kind, parameter = found[0]
    value = {"kind": kind, parameter.name: example_value(schema, _with_default(parameter.type, parameter.default))}
    return FieldDocs(
        title=format_path(path),
        text=f"An argument of {one_of(name for name, _ in found)}.".replace(" or ", " and "),
        example=written_at(path[: len(field.path)], _in_field(field, value)),
        header=("kind", "takes", "default", "meaning"),
        rows=tuple(
            (name, takes(schema, p.type), "required" if p.required else yaml_value(p.default), p.doc)
            for name, p in found
        ),
    )


def _with_default(fragment: Mapping[str, Any], default: Any) -> dict[str, Any]:
    return {**fragment, **({} if default is None else {"default": default})}


def _table(
    schema: Mapping[str, Any], catalogue: Catalogue, component: ComponentField | None, field: Mapping[str, Any]
) -> tuple[Row, tuple[Row, ...]]:
    """The kinds that a component may have, or the keys of a section."""
    if component is not None:
        described = kinds(schema["$defs"][component.group])
        return ("kind", "meaning"), tuple(described.items())
    section = next((option for option in _options(schema, field) if "properties" in option), None)
    if section is None:
        return (), ()
    rows = []
    for name, inner in section["properties"].items():
        default = yaml_value(inner["default"]) if "default" in inner else ""
        meaning = inner.get("description") or _follow(schema, inner).get("description", "")
        rows.append(
            (name, takes(schema, inner), "required" if name in section.get("required", []) else default, meaning)
        )
    return ("key", "takes", "default", "meaning"), tuple(rows)


def example_value(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Any:
    """A value that the field takes: a given example, its default, or the least that there is."""
    if "examples" in field:
        return field["examples"][0]
    if field.get("default") not in UNLIKELY and field.get("default") not in ([], {}, ""):
        return field["default"]
    if "anyOf" in field:
        # A group begins with the kinds that need no arguments; elsewhere `none` comes last.
        return example_value(schema, _follow(schema, field["anyOf"][0]))
    if target(field) is not None:
        return example_value(schema, _follow(schema, {"$ref": field["$ref"]}))
    if "properties" in field:
        section = field["properties"]
        names = field.get("required") or list(section)[:1]
        return {name: example_value(schema, section[name]) for name in names}
    if "enum" in field or "const" in field:
        return next((c for c in field.get("enum", []) if c not in UNLIKELY), field.get("const"))
    return _least(schema, field)


def _least(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Any:
    match field.get("type"):
        case "integer":
            return max(1, field.get("minimum", 1), field.get("exclusiveMinimum", 0) + 1)
        case "number":
            low = max(0.1, field.get("minimum", 0.1))
            return low if low < field.get("exclusiveMaximum", field.get("maximum", 1) + 1) else 0
        case "boolean":
            return True
        case "array":
            return [example_value(schema, field.get("items", {}))] * max(1, field.get("minItems", 1))
        case "string":
            return "data/samples" if field.get("format") == "path" else "text"
    if field.get("type") == "object":
        return {"kind": "torch.nn:ReLU"} if field.get("required") == ["kind"] else {}
    return 1


def written_at(path: Path, value: Any) -> str:
    """A value in its place, as a spec would have it."""
    lines: list[str] = []
    for depth, part in enumerate(path):
        lines.append("  " * depth + ("-" if isinstance(part, int) else f"{part}:"))
    text = "\n".join(lines) + f" {yaml_value(value)}"
    return re.sub(r"-\n *", "- ", text)
