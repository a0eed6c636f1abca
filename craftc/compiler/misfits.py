"""A value that pydantic refused to a Problem in the user's words."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from craftc.compiler.component_fields import ComponentField, component_fields
from craftc.compiler.nearest import nearest
from craftc.compiler.parse import NUMBER
from craftc.compiler.problem import MAX_TOLD, Problem, did_you_mean, one_of, show
from craftc.compiler.spec_places import component_field, fragment_at
from craftc.compiler.tree import look_up
from craftc.compiler.value_type import describe, options
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec

_BOUND_ERRORS = {
    "greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of",
    "too_short", "too_long", "string_too_short", "string_too_long",
}  # fmt: skip
MAX_OWNERS = 3
"""Places that a message names for a key that stands in the wrong one."""
_NO_COMPONENT = {"model_type", "model_attributes_type", "list_type", "tuple_type", "dict_type"}


def section_problems(error: ValidationError, tree: dict[str, Any], catalogue: Catalogue) -> list[Problem]:
    """One problem for each place, however many branches of a union complained there or within it."""
    places = islice(by_place(error, tree).items(), MAX_TOLD + 1)
    return [_section_problem(path, items, tree, catalogue) for path, items in places]


def _section_problem(path: Path, items: list[Any], tree: dict[str, Any], catalogue: Catalogue) -> Problem:
    types = {item["type"] for item in items}
    if "extra_forbidden" in types:
        known = [name for part in options(fragment_at(path[:-1])) for name in part.get("properties", {})]
        return unknown_key(path, known, f"expected {one_of(known)}", catalogue)
    if "missing" in types:
        return _missing_key(path, tree, catalogue)
    value = items[0]["input"]
    if value is None:
        return empty_value(path)
    if "string_pattern_mismatch" in types:
        message = f'"{format_path(path)}" is {show(value)}; it names a folder: letters, digits, ".", "_" and "-" only'
        return Problem("wrong-name", path, message)
    component = component_field(path)
    if component is not None and types & _NO_COMPONENT:
        return _no_component(path, value, component)
    problem = wrong_value(path, value, fragment_at(path), types)
    named = list(fragment_at(path[:-1]).get("properties", {})) if path else []
    if problem.hint is None and path and path[-1] not in named:
        # A split may have any name, so that a misspelt key beside the splits is taken for one.
        return replace(problem, hint=did_you_mean(str(path[-1]), named))
    return problem


def by_place(error: ValidationError, value: Any) -> dict[Path, list[Any]]:
    """pydantic's complaints by the innermost place: a union complains of the whole too where an item is mistaken."""
    by_path: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False, include_context=False):
        by_path.setdefault(_data_path(item["loc"], value, item["type"]), []).append(item)
    outer = {path[:length] for path in by_path for length in range(len(path))}
    return {path: items for path, items in by_path.items() if path not in outer}


def _data_path(loc: tuple[str | int, ...], tree: Any, error_type: str) -> Path:
    """pydantic's place without the names of the union branches that it tried."""
    path: list[str | int] = []
    value: Any = tree
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(value, dict) and part in value and part != "[key]":
            path.append(part)
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
        elif last and error_type in ("missing", "extra_forbidden"):
            path.append(part)
    return tuple(path)


def empty_value(path: Path) -> Problem:
    switches_off = any(part.get("const") == "none" for part in options(fragment_at(path)))
    hint = "write none to switch it off" if switches_off else "give it a value, or remove it"
    return Problem("empty-value", path, f'"{format_path(path)}" is empty', hint, at_key=True)


def _missing_key(path: Path, tree: dict[str, Any], catalogue: Catalogue) -> Problem:
    *_, name = path
    parent = format_path(path[:-1])
    message = f'"{parent}" needs "{name}"' if parent else f'the spec needs "{name}"'
    others = [key for key in look_up(tree, path[:-1]) if key not in fragment_at(path[:-1]).get("properties", {})]
    near = nearest(str(name), others)
    if near is not None:
        return Problem("missing-key", path, message, f'is "{near}" meant to be it?')
    field = component_field(path[:-1])
    if name == "kind" and field is not None:
        return Problem("missing-key", path, message, f"known are {one_of(catalogue.kinds(field.group))}")
    fragment = fragment_at(path)
    meaning = str(fragment.get("description", "")).rstrip(".")
    return Problem("missing-key", path, message, f"expected {describe(fragment)}: {meaning[:1].lower()}{meaning[1:]}")


def _no_component(path: Path, value: Any, field: ComponentField) -> Problem:
    one = "the name of a component, or a mapping with its kind"
    many = field.many and path == field.path
    expected = f"a list, each {one}" if many else one
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    return Problem("wrong-type", path, message, "begin it with a dash" if many and isinstance(value, dict) else None)


def unknown_key(path: Path, known: Iterable[str], otherwise: str, catalogue: Catalogue) -> Problem:
    name = str(path[-1])
    parent = format_path(path[:-1])
    message = f"unknown key {show(name)}" + (f' in "{parent}"' if parent else "")
    near = nearest(name.partition(":")[0], known)
    if near is not None:
        hint = f'did you mean "{near}"?' if ":" not in name else f'a space follows the colon: "{near}: ..."'
        return Problem("unknown-key", path, message, hint, True, reads=((*path[:-1], near),))
    owners = [owner for owner in _owners(name, catalogue) if owner != path[:-1]]
    if owners:
        named = [f'"{format_path(owner)}"' for owner in owners if owner][:MAX_OWNERS]
        otherwise = f"it belongs under {one_of(named)}" if named else "it belongs at the top level"
    return Problem("unknown-key", path, message, otherwise, at_key=True)


def _owners(name: str, catalogue: Catalogue) -> list[Path]:
    """Every section that has a key of that name, or else every place whose components take an argument of it."""
    sections = _sections().get(name)
    if sections is not None:
        return sections
    groups = {entry.group for entry in catalogue.entries if entry.parameter(name)}
    return [field.path for field in component_fields() if field.group in groups]


@lru_cache(maxsize=1)
def _sections() -> dict[str, list[Path]]:
    """Each key of the language, and the sections that have it."""
    found: dict[str, list[Path]] = {}

    def walk(model: type[BaseModel], prefix: Path) -> None:
        for key, field in model.model_fields.items():
            owners = found.setdefault(key, [])
            if prefix not in owners:
                owners.append(prefix)
            for inner in _models(field.annotation):
                walk(inner, (*prefix, key))

    walk(Spec, ())
    return found


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    """The sections that a field holds as they are; those of a list or mapping have no path of their own."""
    for inner in (annotation, *get_args(annotation)):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield inner


def wrong_value(path: Path, value: Any, fragment: dict[str, Any], types: set[str]) -> Problem:
    expected = describe(fragment)
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    if types & _BOUND_ERRORS:
        return Problem("out-of-bounds", path, message)
    takes_numbers = any(_takes_numbers(part) for part in options(fragment))
    in_quotes = takes_numbers and isinstance(value, str) and _is_number(value)
    hint = "a number stands without quotes" if in_quotes else None
    if types <= {"literal_error", "enum"} or ("literal_error" in types and isinstance(value, str)):
        choices = [str(name) for part in options(fragment) for name in _choices(part)]
        return Problem("unknown-choice", path, message, hint or did_you_mean(str(value), choices))
    return Problem("wrong-type", path, message, hint)


def inner_type(fragment: dict[str, Any], path: Path) -> dict[str, Any]:
    """The type of the items at a path of a value of that type."""
    for _ in path:
        parts = (part.get("items", part.get("additionalProperties")) for part in options(fragment))
        fragment = next((part for part in parts if isinstance(part, dict)), {})
    return fragment


def _takes_numbers(fragment: dict[str, Any]) -> bool:
    return fragment.get("type") in ("integer", "number") or any(isinstance(c, int) for c in _choices(fragment))


def _is_number(text: str) -> bool:
    """Whether it would be read as a number without quotes: not what Python alone takes for one, such as 1_000."""
    return NUMBER.fullmatch(text) is not None


def _choices(fragment: dict[str, Any]) -> list[Any]:
    return list(fragment.get("enum", [fragment["const"]] if "const" in fragment else []))
