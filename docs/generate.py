"""The models, the catalogue and the explanations in; the references under docs/ and the JSON Schemas out.

`python docs/generate.py` writes them; with `--check` it exits with 1 and names those that are out of date.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import shelf

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.component_fields import component_fields
from craftc.compiler.language.declared_words import declared
from craftc.compiler.language.editor_schema import published_schemas
from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.json_schema import json_schema, schema_at
from craftc.compiler.language.value_type import describe
from craftc.compiler.render.explanations import Explanation, codes, explain
from craftc.schemas.catalogue import REMOVE, Catalogue, ComponentEntry, Group, Parameter

ROOT = Path(__file__).parents[1]
NOTICE = "<!-- Written by docs/generate.py: change what it reads, and not this file. -->"


def generate() -> dict[str, str]:
    """The text of every generated file, by its path in the repository."""
    catalogue = built_in_catalogue()
    schema = json_schema(catalogue)
    template = (ROOT / "docs" / "reference" / "language.in.md").read_text(encoding="utf-8")
    parts = {"notice": NOTICE, "sections": sections(schema), "components": components(catalogue)}
    for name, part in parts.items():
        template = template.replace(f"{{{{{name}}}}}", part)
    page = (ROOT / "docs" / "reference" / "components.in.md").read_text(encoding="utf-8")
    page = page.replace("{{notice}}", NOTICE).replace("{{shelf}}", shelf.shelf(catalogue))
    return {
        **{f"schemas/{name}.v1.json": _json(published) for name, published in published_schemas(catalogue).items()},
        "docs/reference/language.md": template,
        "docs/reference/components.md": page,
        "docs/reference/errors.md": errors([explain(code) for code in codes()]),
    }


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def sections(schema: dict[str, Any]) -> str:
    """Every section of the language with a table of its keys."""
    top = _fields(schema, schema["properties"], schema["required"])
    return "\n\n".join([top, *_inner_sections(schema, "", schema["properties"])])


def _inner_sections(schema: dict[str, Any], parent: str, fields: Mapping[str, Any]) -> Iterator[str]:
    for name, field in fields.items():
        path = f"{parent}{name}"
        heading = f"{'#' * (3 + path.count('.'))} {path}\n\n"
        target = _target(field)
        reserved = _reserved(schema, path)
        if reserved:
            yield f"{heading}{field['description']} One of the [{target}](#{target}), and beside its arguments:"
            yield _fields(schema, reserved, [])
            yield from _by_name(schema, path)
            if REMOVE in reserved:
                yield from _inner_sections(schema, f"{path}.", {REMOVE: reserved[REMOVE]})
        elif target is not None and target not in get_args(Group):
            section = schema["$defs"][target]
            yield heading + section["description"]
            yield _fields(schema, section["properties"], section.get("required", []), f"{path}.")
            if isinstance(other := section.get("additionalProperties"), dict):
                yield f"Any other key of `{path}` takes {describe(other)}."
            yield from _inner_sections(schema, f"{path}.", section["properties"])
        elif (value := _target(_values(field))) is not None:
            section = schema["$defs"][value]
            yield f"{heading}Each value: {section['description'][:1].lower()}{section['description'][1:]}"
            yield _fields(schema, section["properties"], [], f"{path}.")
        elif (item := _target(_items(field))) is not None and item not in get_args(Group):
            section = schema["$defs"][item]
            yield f"{heading}Each item: {section['description'][:1].lower()}{section['description'][1:]}"
            yield _fields(schema, section["properties"], section.get("required", []), f"{path}.")


def _by_name(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The components of a section that are called by names of the user's own."""
    for field in component_fields():
        if field.by_name and field.path[:-1] == (path,):
            name = ".".join(map(str, field.path))
            heading = f"{'#' * (3 + name.count('.'))} {name}\n\n"
            yield f"{heading}Each value: one of the [{field.group}](#{field.group}), and beside its arguments:"
            component = next(o for o in schema["$defs"][str(field.path[-1])]["anyOf"] if "properties" in o)
            yield _fields(schema, {key: component["properties"][key] for key in sorted(field.reserved)}, [])


def _reserved(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """The keys of a section that stand beside a component's own arguments."""
    names = [name for field in component_fields() if field.path == (path,) for name in sorted(field.reserved)]
    return {name: _unfollowed(schema, path, name) for name in names}


def _unfollowed(schema: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    options = schema_at(schema, (path,))["anyOf"]
    field: dict[str, Any] = next(option["properties"][name] for option in options if "properties" in option)
    return field


def _fields(schema: dict[str, Any], fields: Mapping[str, Any], required: Iterable[str], parent: str = "") -> str:
    rows = [
        (
            f"**`{name}`**" if name in required else f"`{name}`",
            _type(field, f"{parent}{name}"),
            f"`{yaml_value(field['default'])}`" if "default" in field else "",
            # pydantic leaves it out where it is the section's own.
            field.get("description") or schema["$defs"][_target(field)]["description"],
        )
        for name, field in fields.items()
    ]
    return _table(("key", "value", "default", "meaning"), rows)


def _type(field: dict[str, Any], path: str) -> str:
    """What is expected, in words; sections and groups of components as links."""
    if "anyOf" in field:
        return ", or ".join(_type(option, path) for option in field["anyOf"])
    if any("$ref" in option.get("items", {}) for option in _values(field).get("anyOf", ())):
        return f"a mapping, each value {_type(dict(_values(field)), path)}"
    if "$ref" in field.get("items", {}):
        item = _type(field["items"], path)
        return f"a list of {item}".replace("of [section]", "of [sections]")
    target = _target(field)
    if target is None:
        return describe(field) + (f" matching `{field['pattern']}`" if "pattern" in field else "")
    return f"[{target}](#{target})" if target in get_args(Group) else f"[section](#{path.replace('.', '')})"


def _values(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """What every value of a mapping of the user's own keys is to be."""
    found = (option.get("additionalProperties") for option in field.get("anyOf", [field]))
    return next((values for values in found if isinstance(values, dict)), {})


def _items(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """What every item of a list is to be."""
    found = (option.get("items") for option in field.get("anyOf", [field]))
    return next((items for items in found if isinstance(items, dict)), {})


def _target(field: Mapping[str, Any]) -> str | None:
    """The definition that a field, or one of its options, refers to."""
    references = (option["$ref"] for option in field.get("anyOf", [field]) if "$ref" in option)
    return next((str(reference).rpartition("/")[2] for reference in references), None)


def components(catalogue: Catalogue) -> str:
    """Every component, by group."""
    parts: list[str] = []
    for group in get_args(Group):
        parts.append(f"### {group}")
        parts += [_component(entry) for entry in catalogue.entries if entry.group == group]
    return "\n\n".join(parts)


def _component(entry: ComponentEntry) -> str:
    parts = [f"#### {entry.kind}", entry.summary, entry.doc]
    if entry.parameters:
        rows = [_parameter(parameter) for parameter in entry.parameters]
        parts.append(_table(("argument", "value", "default", "meaning"), rows))
    parts += [f"{verb.capitalize()} {what}." for verb, what in declared(entry)]
    if entry.constraints:
        parts.append("Needs " + ", ".join(f"`{text}`" for text in entry.constraints) + ".")
    if entry.mode is not None:
        parts.append(f"Better when {'greater' if entry.mode == 'max' else 'less'}.")
    return "\n\n".join(part for part in parts if part)


def _parameter(parameter: Parameter) -> tuple[str, ...]:
    name = f"**`{parameter.name}`**" if parameter.required else f"`{parameter.name}`"
    default = "" if parameter.required else f"`{yaml_value(parameter.default)}`"
    return name, describe(parameter.type), default, parameter.doc


def errors(pages: Iterable[Explanation]) -> str:
    """An index of all codes, then the page of each."""
    pages = list(pages)
    index = _table(("code", "meaning"), [(f"[`{page.code}`](#{page.code})", page.title) for page in pages])
    intro = (
        "A code stands in brackets after `error` or `warning`; `craftc explain CODE` prints its page.\n"
        "Where a few lines of a spec show it, the page has a bad and a good example."
    )
    return "\n\n".join([NOTICE, "# Errors and warnings", intro, index, *map(_page, pages)]) + "\n"


def _page(page: Explanation) -> str:
    parts = [f"## {page.code}", f"{page.title}.", page.text]
    for title, example in (("Bad", page.bad), ("Good", page.good)):
        if example is not None:
            parts.append(f"{title}:\n\n```yaml\n{example.rstrip()}\n```")
    return "\n\n".join(parts)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Write or check the files; the exit code."""
    parser = argparse.ArgumentParser(prog="python docs/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is out of date")
    check = parser.parse_args().check
    files = {ROOT / name: text for name, text in generate().items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is out of date; run python docs/generate.py", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
    lacking = list(shelf.missing(built_in_catalogue()))
    for what in lacking:
        print(what, file=sys.stderr)
    return 1 if lacking or (check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
