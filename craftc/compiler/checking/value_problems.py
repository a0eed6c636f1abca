"""A value that does not fit to a Problem in the user's words."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from craftc.compiler.checking.suggestion import Suggestion, fits, number_in_quotes, suggest
from craftc.compiler.language.component_fields import ComponentField, component_fields
from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.spec_places import component_field, fragment_at
from craftc.compiler.language.value_type import describe, options
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.odd_characters import look_alikes
from craftc.compiler.reading.parse import NUMBER
from craftc.compiler.reading.problem import MAX_TOLD, Problem, did_you_mean, one_of, show
from craftc.compiler.reading.tree import look_up
from craftc.compiler.reading.tree_edit import TreeEdit, move, rename, respell, split, wrap
from craftc.compiler.reading.tree_edit import rewrite as write_as
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.fit import Violation, ViolationKind
from craftc.schemas.section import Section
from craftc.schemas.spec import Spec

GONE: tuple[Path, ...] = (("report", "wandb"), ("report", "tensorboard"))
"""Keys that the language had, and whose place is now in `report.trackers`."""
MAX_OWNERS = 3
"""Places that a message names for a key that stands in the wrong one."""


def section_problems(violations: Sequence[Violation], tree: dict[str, Any], catalogue: Catalogue) -> list[Problem]:
    """One problem for each place, however many branches of a union complained there or within it."""
    places = islice(by_place(violations).items(), MAX_TOLD + 1)
    return [_section_problem(path, items, tree, catalogue) for path, items in places]


def _section_problem(path: Path, found: list[Violation], tree: dict[str, Any], catalogue: Catalogue) -> Problem:
    kinds = {violation.kind for violation in found}
    if "unknown" in kinds and path in GONE:
        return _gone(path, tree)
    if "unknown" in kinds:
        known = [name for part in options(fragment_at(path[:-1])) for name in part.get("properties", {})]
        return unknown_key(path, found[0].value, known, f"expected {one_of(known)}", catalogue)
    if "missing" in kinds:
        return _missing_key(path, tree, catalogue)
    value = found[0].value
    if value is None:
        return empty_value(path)
    if "pattern" in kinds:
        message = f'"{format_path(path)}" is {show(value)}; it names a folder: letters, digits, ".", "_" and "-" only'
        return Problem("wrong-name", path, message)
    component = component_field(path)
    if component is not None and "type" in kinds:
        return _no_component(path, value, component)
    problem = wrong_value(path, value, fragment_at(path), kinds)
    named = list(fragment_at(path[:-1]).get("properties", {})) if path else []
    if problem.hint is None and path and path[-1] not in named:
        # A split may have any name, so that a misspelt key beside the splits is taken for one.
        meant = surely_meant(str(path[-1]), named)
        is_fit = meant is not None and fits(value, fragment_at((*path[:-1], meant)))
        fix = rename(path, meant) if meant is not None and is_fit else None
        return replace(problem, hint=did_you_mean(str(path[-1]), named), fix=fix)
    return problem


def _gone(path: Path, tree: dict[str, Any]) -> Problem:
    """A key of earlier days, and what is written in the place of it and its like."""
    message = f'"{format_path(path)}" is a tracker, and those are a list now'
    written = [named for name, value in tree["report"].items() if (named := _as_tracker(name, value)) is not None]
    hint = f"write report.trackers: {yaml_value(written)}" if written else "remove it"
    return Problem("moved-key", path, message, hint, at_key=True)


def _as_tracker(key: str, value: Any) -> Any:
    """What a key of `report` is in the list of trackers; None where it asks for none."""
    if ("report", key) not in GONE or value in (False, None, "none"):
        return None
    return {"kind": key, **value} if isinstance(value, dict) else key


def by_place(violations: Sequence[Violation]) -> dict[Path, list[Violation]]:
    """Violations by the innermost place: a union complains of the whole too where an item is mistaken."""
    by_path: dict[Path, list[Violation]] = {}
    for violation in violations:
        by_path.setdefault(violation.path, []).append(violation)
    outer = {path[:length] for path in by_path for length in range(len(path))}
    return {path: found for path, found in by_path.items() if path not in outer}


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
        fix = meant_as(path, others)
        return Problem("missing-key", path, message, f'is "{near}" meant to be it?', fix=fix)
    field = component_field(path[:-1])
    if name == "kind" and field is not None:
        return Problem("missing-key", path, message, f"known are {one_of(catalogue.kinds(field.group))}")
    fragment = fragment_at(path)
    meaning = str(fragment.get("description", "")).rstrip(".")
    return Problem("missing-key", path, message, f"expected {describe(fragment)}: {meaning[:1].lower()}{meaning[1:]}")


def meant_as(path: Path, others: Sequence[str]) -> TreeEdit | None:
    """The one key, of those that are taken whatever they are called, that can only be the one missing at `path`."""
    slips = [other for other in others if surely_meant(other, [str(path[-1])]) is not None]
    return rename((*path[:-1], slips[0]), str(path[-1])) if len(slips) == 1 else None


def _no_component(path: Path, value: Any, field: ComponentField) -> Problem:
    one = "the name of a component, or a mapping with its kind"
    many = field.many and path == field.path
    expected = f"a list, each {one}" if many else one
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    suggestion = Suggestion()
    if many and isinstance(value, dict):
        suggestion = Suggestion("begin it with a dash", wrap(path, "[", "]") if "kind" in value else None)
    elif many and value == "none":
        suggestion = Suggestion("an empty list is []", write_as(path, "[]") if _may_be_empty(path) else None)
    elif many and isinstance(value, str) and "," not in value:
        suggestion = Suggestion(f"a list stands in brackets: [{value}]", wrap(path, "[", "]"))
    return Problem("wrong-type", path, message, suggestion.hint, fix=suggestion.fix)


def _may_be_empty(path: Path) -> bool:
    return any(not part.get("minItems") for part in options(fragment_at(path)) if part.get("type") == "array")


def unknown_key(path: Path, value: Any, known: Iterable[str], otherwise: str, catalogue: Catalogue) -> Problem:
    """A key that is not known, the likeliest of those that are, or where it belongs."""
    known = list(known)
    name = str(path[-1])
    parent = format_path(path[:-1])
    message = f"unknown key {show(name)}" + (f' in "{parent}"' if parent else "")
    near = nearest(name.partition(":")[0], known)
    if near is not None:
        hint = did_you_mean(name, [near]) if ":" not in name else f'a space follows the colon: "{near}: ..."'
        fix = _mended_key(path, name, known, catalogue)
        return Problem("unknown-key", path, message, hint, True, reads=((*path[:-1], near),), fix=fix)
    owners = [owner for owner in _owners(name, catalogue) if owner != path[:-1]]
    if owners:
        named = [f'"{format_path(owner)}"' for owner in owners if owner][:MAX_OWNERS]
        otherwise = f"it belongs under {one_of(named)}" if named else "it belongs at the top level"
    return Problem("unknown-key", path, message, otherwise, at_key=True, fix=_in_its_section(path, value, catalogue))


def _mended_key(path: Path, name: str, known: Sequence[str], catalogue: Catalogue) -> TreeEdit | None:
    if ":" in name:
        return split(path) if name.partition(":")[0] in known else None
    if name in _sections() or any(entry.parameter(name) for entry in catalogue.entries):
        return None  # it is a key elsewhere, and so spelt as it is meant
    meant = surely_meant(name, known)
    return rename(path, meant) if meant is not None else None


def _in_its_section(path: Path, value: Any, catalogue: Catalogue) -> TreeEdit | None:
    """The move of a key that is known in one place alone, and has a value for that."""
    name = str(path[-1])
    sections = _sections().get(name, [])
    groups = {entry.group for entry in catalogue.entries if entry.parameter(name)}
    fields = [field for field in component_fields() if field.group in groups]
    if len(sections) == 1 and (not fields or name in fragment_at(sections[0]).get("required", [])):
        to = (*sections[0], name)
        # A section that `none` switches off is not to be switched on by a key that was meant for it.
        creates = len(to) == 2 and not Spec.fields[str(to[0])].is_switch
        return move(path, to, creates=creates) if _takes(sections[0], name, value) else None
    if not sections and len(fields) == 1 and not fields[0].many:
        taking = [entry for entry in catalogue.entries if entry.group == fields[0].group]
        types = {entry.kind: entry.parameter(name) for entry in taking}
        kinds = frozenset(kind for kind, parameter in types.items() if parameter and fits(value, parameter.type))
        return move(path, (*fields[0].path, name), kinds) if kinds else None
    return None


def _owners(name: str, catalogue: Catalogue) -> list[Path]:
    """Every section that has a key of that name, or else every place whose components take an argument of it."""
    sections = _sections().get(name)
    if sections is not None:
        return sections
    groups = {entry.group for entry in catalogue.entries if entry.parameter(name)}
    return [field.path for field in component_fields() if field.group in groups]


def _takes(section: Path, name: str, value: Any) -> bool:
    """Whether a section has a key of that name, and the value is one for it."""
    if not any(name in part.get("properties", {}) for part in options(fragment_at(section))):
        return False
    field = component_field((*section, name))
    if field is None:
        return fits(value, fragment_at((*section, name)))
    is_component = isinstance(value, str) or (isinstance(value, dict) and "kind" in value)
    return isinstance(value, list) if field.many else is_component


@lru_cache(maxsize=1)
def _sections() -> dict[str, list[Path]]:
    """Each key of the language, and the sections that have it."""
    found: dict[str, list[Path]] = {}

    def walk(section: type[Section], prefix: Path) -> None:
        for key, field in section.fields.items():
            owners = found.setdefault(key, [])
            if prefix not in owners:
                owners.append(prefix)
            for inner in field.sections:
                walk(inner, (*prefix, key))

    walk(Spec, ())
    return found


def wrong_value(path: Path, value: Any, fragment: dict[str, Any], kinds: set[ViolationKind]) -> Problem:
    expected = describe(fragment)
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    if "bounds" in kinds:
        return Problem("out-of-bounds", path, message)
    takes_numbers = any(_takes_numbers(part) for part in options(fragment))
    in_quotes = takes_numbers and isinstance(value, str) and _is_number(value)
    hint = "a number stands without quotes" if in_quotes else None
    fix = number_in_quotes(path, value, fragment) if in_quotes else None
    suggestion = Suggestion(hint, fix) if hint is not None else suggest(path, value, fragment)
    if takes_numbers and suggestion.hint is None and isinstance(value, str):
        suggestion = Suggestion(look_alikes(value, "0"))
    if kinds == {"choice"} or ("choice" in kinds and isinstance(value, str)):
        choices = [str(name) for part in options(fragment) for name in _choices(part)]
        if suggestion.hint is None:
            meant = surely_meant(value, choices) if isinstance(value, str) else None
            fix = respell(path, meant) if meant is not None else None
            suggestion = Suggestion(did_you_mean(str(value), choices), fix)
        return Problem("unknown-choice", path, message, suggestion.hint, fix=suggestion.fix)
    return Problem("wrong-type", path, message, suggestion.hint, fix=suggestion.fix)


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
