"""A resolved tree to a Spec, or every key and value that does not fit.

Two vocabularies are checked alike: the sections, by the pydantic models of `schemas/spec.py`, and the arguments of
components, by their catalogue entries. What is mistaken is then mended, by dropping it or by a placeholder, so that
the rules between fields can still be checked; `tainted` names what was mended.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from craftc.compiler.component_fields import ComponentPlace, component_fields, component_places
from craftc.compiler.problem import Problem, did_you_mean, one_of, show
from craftc.compiler.value_type import adapter, describe
from craftc.schemas.catalogue import Catalogue, ComponentEntry
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec

_BOUND_ERRORS = {
    "greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of",
    "too_short", "too_long", "string_too_short", "string_too_long",
}  # fmt: skip
_PLACEHOLDERS: dict[Path, Any] = {
    ("craftc",): 1,
    ("name",): "unnamed",
    ("data",): {"source": {"kind": ""}},
    ("data", "source"): {"kind": ""},
    ("data", "splits", "train"): 0.6,
    ("model",): {"kind": ""},
    ("objective",): {"kind": ""},
    ("training",): {"epochs": 1, "batch_size": 1, "optimizer": {"kind": ""}},
    ("training", "epochs"): 1,
    ("training", "batch_size"): 1,
    ("training", "optimizer"): {"kind": ""},
}
_MAX_MENDS = 8


@dataclass(frozen=True)
class Validated:
    """`spec` is mended where there are problems, and None where it could not be; `tree` is what it was made of."""

    spec: Spec | None
    tree: dict[str, Any]
    problems: list[Problem]
    tainted: frozenset[Path]


def validate(resolved: dict[str, Any], catalogue: Catalogue) -> Validated:
    """Check a resolved tree against the language and the catalogue, filling in the defaults of arguments."""
    tree = copy.deepcopy(resolved)
    problems: list[Problem] = []
    for place in component_places(tree):
        problems += _check_component(place, catalogue)
    tainted = {problem.path for problem in problems}
    for _ in range(_MAX_MENDS):
        try:
            spec = Spec.model_validate(tree)
        except ValidationError as error:
            found = _section_problems(error, tree)
            problems += found
            for problem in found:
                tainted.add(_mend(tree, problem))
        else:
            return Validated(spec, tree, problems, frozenset(tainted))
    return Validated(None, tree, problems, frozenset(tainted))


def _check_component(place: ComponentPlace, catalogue: Catalogue) -> list[Problem]:
    """Check a component's arguments, drop the mistaken ones from its mapping and fill in defaults."""
    kind = place.value.get("kind")
    if not isinstance(kind, str):
        return []
    entry = catalogue.find(place.group, kind)
    if entry is None:
        known = catalogue.kinds(place.group)
        hint = did_you_mean(kind, known) or f"known are {one_of(known)}"
        message = f'"{kind}" is not a kind of {format_path(place.path)}'
        return [Problem("unknown-kind", (*place.path, "kind"), message, hint)]
    problems = []
    for name in [key for key in place.value if key != "kind" and key not in place.reserved]:
        problem = _check_argument(place, entry, name)
        if problem is not None:
            problems.append(problem)
            del place.value[name]
    for parameter in entry.parameters:
        if parameter.name in place.value:
            continue
        if not parameter.required:
            place.value[parameter.name] = copy.deepcopy(parameter.default)
        elif not any(problem.path[-1] == parameter.name for problem in problems):
            message = f'"{format_path(place.path)}" needs "{parameter.name}"'
            hint = f"{kind} takes {describe(parameter.type)} there"
            problems.append(Problem("missing-key", (*place.path, parameter.name), message, hint))
    return problems


def _check_argument(place: ComponentPlace, entry: ComponentEntry, name: str) -> Problem | None:
    """Check one argument and put its validated value in place; the problem where it does not fit."""
    path = (*place.path, name)
    parameter = entry.parameter(name)
    if parameter is None:
        known = [parameter.name for parameter in entry.parameters] + sorted(place.reserved)
        return _unknown_key(path, known, f"{entry.kind} takes {one_of(known)}")
    value = place.value[name]
    try:
        place.value[name] = adapter(parameter.type).validate_python(value)
    except ValidationError as error:
        return _wrong_value(path, value, parameter.type, {e["type"] for e in error.errors(include_url=False)})
    return None


def _unknown_key(path: Path, known: Iterable[str], otherwise: str) -> Problem:
    name = str(path[-1])
    parent = format_path(path[:-1])
    message = f'unknown key "{name}"' + (f' in "{parent}"' if parent else "")
    section = _belongs_under(name)
    hint = did_you_mean(name, known)
    if hint is None and section is not None and section != path[:-1]:
        hint = f'it belongs under "{format_path(section)}"' if section else "it belongs at the top level"
    return Problem("unknown-key", path, message, hint or otherwise, at_key=True)


@lru_cache(maxsize=256)
def _belongs_under(name: str) -> Path | None:
    """The only section that has a key of that name, if there is just one."""

    def walk(model: type[BaseModel], prefix: Path) -> Iterable[Path]:
        for key, field in model.model_fields.items():
            if key == name:
                yield prefix
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from walk(field.annotation, (*prefix, key))

    found = list(walk(Spec, ()))
    return found[0] if len(found) == 1 else None


def _wrong_value(path: Path, value: Any, fragment: dict[str, Any], types: set[str]) -> Problem:
    expected = describe(fragment)
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    if types & _BOUND_ERRORS:
        return Problem("out-of-bounds", path, message)
    if types <= {"literal_error", "enum"} or ("literal_error" in types and isinstance(value, str)):
        choices = [str(name) for part in fragment.get("anyOf", [fragment]) for name in _choices(part)]
        return Problem("unknown-choice", path, message, did_you_mean(str(value), choices))
    hint = None
    if isinstance(value, str) and fragment.get("type") in ("integer", "number") and _is_number(value):
        hint = "a number stands without quotes"
    return Problem("wrong-type", path, message, hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _choices(fragment: dict[str, Any]) -> list[Any]:
    return list(fragment.get("enum", [fragment["const"]] if "const" in fragment else []))


def _section_problems(error: ValidationError, tree: dict[str, Any]) -> list[Problem]:
    """One problem for each place, however many branches of a union complained there."""
    by_path: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False, include_context=True):
        by_path.setdefault(_data_path(item["loc"], tree, item["type"]), []).append(item)
    return [_section_problem(path, items) for path, items in by_path.items()]


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


def _section_problem(path: Path, items: list[Any]) -> Problem:
    types = {item["type"] for item in items}
    if "extra_forbidden" in types:
        known = list(_fragment(path[:-1]).get("properties", {}))
        return _unknown_key(path, known, f"expected {one_of(known)}")
    if "missing" in types:
        parent = format_path(path[:-1])
        fragment = _fragment(path)
        message = f'"{parent}" needs "{path[-1]}"' if parent else f'the spec needs "{path[-1]}"'
        return Problem("missing-key", path, message, fragment.get("description"))
    value = items[0]["input"]
    if value is None:
        hint = "write none to switch it off" if any(item["type"] == "value_error" for item in items) else None
        return Problem("empty-value", path, f'"{format_path(path)}" is empty', hint, at_key=True)
    if "string_pattern_mismatch" in types:
        message = f'"{format_path(path)}" is {show(value)}; it names a folder: letters, digits, ".", "_" and "-" only'
        return Problem("wrong-name", path, message)
    return _wrong_value(path, value, _fragment(path), types)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return Spec.model_json_schema()


def _fragment(path: Path) -> dict[str, Any]:
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


def _mend(tree: dict[str, Any], problem: Problem) -> Path:
    """Make the place of a problem valid; the path that can be trusted no more."""
    path = problem.path
    if problem.code == "unknown-key":
        _delete(tree, path)
        return path
    while path:
        if path in _PLACEHOLDERS:
            _set(tree, path, copy.deepcopy(_PLACEHOLDERS[path]))
            return path
        field = next((field for field in component_fields() if field.path == path), None)
        if problem.code != "missing-key" or path != problem.path or field is not None:
            _delete(tree, path)
            if path not in _required():
                return path
        path = path[:-1]
    return path


@lru_cache(maxsize=1)
def _required() -> frozenset[Path]:
    """Every path of the schema that must be given."""

    def walk(fragment: dict[str, Any], prefix: Path) -> Iterable[Path]:
        for name in fragment.get("required", []):
            yield (*prefix, name)
        for name in fragment.get("properties", {}):
            inner = _fragment((*prefix, name))
            for option in inner.get("anyOf", [inner]):
                yield from walk(option, (*prefix, name))

    return frozenset(walk(_fragment(()), ()))


def _set(tree: dict[str, Any], path: Path, value: Any) -> None:
    target: Any = tree
    for part in path[:-1]:
        if isinstance(target, dict) and not isinstance(target.get(part), dict | list):
            target[part] = {}
        target = target[part]
    target[path[-1]] = value


def _delete(tree: dict[str, Any], path: Path) -> None:
    target: Any = tree
    for part in path[:-1]:
        try:
            target = target[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(target, dict):
        target.pop(path[-1], None)
    elif isinstance(target, list) and isinstance(path[-1], int) and path[-1] < len(target):
        del target[path[-1]]
