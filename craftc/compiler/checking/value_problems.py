"""A value that does not fit to a Problem in the user's words."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from craftc.compiler.checking.suggestion import Suggestion, fits, is_off, number_in_quotes, suggest
from craftc.compiler.checking.unknown_key import unknown_key
from craftc.compiler.language.component_fields import ComponentField
from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.spec_places import VALUES, component_field, fragment_at
from craftc.compiler.language.value_type import describe, options
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.odd_characters import look_alikes
from craftc.compiler.reading.plain_scalar import NUMBER
from craftc.compiler.reading.problem import MAX_SHOWN, MAX_TOLD, Problem, did_you_mean, one_of, show
from craftc.compiler.reading.tree import look_up
from craftc.compiler.reading.tree_edit import TreeEdit, rename, respell, wrap
from craftc.compiler.reading.tree_edit import replace as put
from craftc.compiler.reading.tree_edit import rewrite as write_as
from craftc.schemas.catalogue import Catalogue, is_own
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.fit import Violation, ViolationKind
from craftc.schemas.language import PROGRAM, class_of, is_of

GONE: tuple[Path, ...] = (("report", "wandb"), ("report", "tensorboard"))
"""Keys that the language had, and whose place is now in `report.trackers`."""
_FREE_TEXTS: tuple[Path, ...] = (("name",), ("description",))
"""Texts that may look like a number, or like true or false."""
SPACE: Path = ("search", "space")


def section_problems(violations: Sequence[Violation], tree: dict[str, Any], catalogue: Catalogue) -> list[Problem]:
    """One problem for each place, however many branches of a union complained there or within it."""
    places = islice(by_place(violations).items(), MAX_TOLD + 1)
    return [_section_problem(path, items, tree, catalogue) for path, items in _whole_ranges(dict(places), tree).items()]


def _whole_ranges(places: dict[Path, list[Violation]], tree: dict[str, Any]) -> dict[Path, list[Violation]]:
    """The same, where a range of keys that are none of a range's is mistaken as a whole."""
    found: dict[Path, list[Violation]] = {}
    for path, items in places.items():
        if path[:2] != SPACE or len(path) != 4 or items[0].kind != "unknown":
            found[path] = items
        elif path[:3] not in found:
            whole = look_up(tree, path[:3])
            is_foreign = _is_foreign_range(whole)
            found[path[:3] if is_foreign else path] = [Violation(path[:3], "type", whole)] if is_foreign else items
    return found


def _is_foreign_range(value: dict[str, Any]) -> bool:
    """Whether it is a range as another tool has it, or holds the ranges of further paths."""
    from craftc.compiler.language.foreign_ranges import as_range

    if set(value) & {"uniform", "log_uniform", "int", "log_int", "choice"}:
        return False
    return as_range(value) is not None or all(isinstance(inner, dict) for inner in value.values())


def _section_problem(path: Path, found: list[Violation], tree: dict[str, Any], catalogue: Catalogue) -> Problem:
    kinds = {violation.kind for violation in found}
    if "unknown" in kinds and path in GONE:
        return _gone(path, tree)
    if "unknown" in kinds and PROGRAM in tree:
        from craftc.compiler.checking.beside_program import of_program  # seldom

        if (problem := of_program(path, tree, catalogue)) is not None:
            return problem
    if "unknown" in kinds:
        named = [name for part in options(fragment_at(path[:-1])) for name in part.get("properties", {})]
        known = [name for name in named if is_of(class_of(tree), (*path[:-1], name))]
        known += [PROGRAM] if len(path) == 1 and not {"data", "model", "objective"} & tree.keys() else []
        return unknown_key(path, found[0].value, known, f"expected {one_of(known)}", catalogue)
    if "missing" in kinds:
        return _missing_key(path, tree, catalogue)
    value = found[0].value
    if value is None:
        return empty_value(path)
    if "pattern" in kinds:
        message = (
            f'"{format_path(path)}" is {show(value)}; it names a folder: letters, digits, "_", "-", and dots within'
        )
        return Problem("wrong-name", path, message)
    component = component_field(path)
    if component is not None and "type" in kinds:
        return _no_component(path, value, component, catalogue.kinds(component.group))
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
    fix = write_as(path, "none") if switches_off else None
    return Problem("empty-value", path, f'"{format_path(path)}" is empty', hint, at_key=True, fix=fix)


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
        return _kind_missing(path, tree, catalogue, field, message)
    fragment = fragment_at(path)
    meaning = str(fragment.get("description", "")).rstrip(".")
    return Problem("missing-key", path, message, f"expected {describe(fragment)}: {meaning[:1].lower()}{meaning[1:]}")


def _kind_missing(
    path: Path, tree: dict[str, Any], catalogue: Catalogue, field: ComponentField, message: str
) -> Problem:
    """A component without `kind`; often another tool's, which calls that otherwise."""
    from craftc.compiler.language.foreign_words import ARGUMENTS_WORDS, KIND_WORDS

    written = look_up(tree, path[:-1])
    word = next(
        (word for word in KIND_WORDS if isinstance(written.get(word), str) and word not in field.reserved), None
    )
    known = catalogue.kinds(field.group)
    own = [name for name in written if name not in field.reserved]
    if word is None and len(own) == 1 and isinstance(arguments := written[own[0]], dict):
        kind = meant_kind(own[0], known)
        if kind in known and "kind" not in arguments:
            # Beside the arguments stands what is said of any component there; a default is not written.
            beside = {name: value for name, value in written.items() if name not in own and value != {"kind": "none"}}
            text = yaml_value({"kind": kind, **arguments, **beside})
            hint = f"a component is named by its kind: {text}" if len(text) <= MAX_SHOWN else "write {kind: NAME, ...}"
            return Problem("missing-key", path, message, hint, fix=put(path[:-1], text))
    if word is None:
        return Problem("missing-key", path, message, f"known are {one_of(known)}")
    called = written[word]
    kind = meant_kind(called, known)
    hint = f'"{word}" is called kind here'
    if kind != called:
        hint += f": {yaml_value({'kind': kind})}"
    if any(isinstance(written.get(other), dict) for other in ARGUMENTS_WORDS):
        hint += "; its arguments stand beside it"
    fix = rename((*path[:-1], word), "kind") if kind == called and (called in known or is_own(called)) else None
    return Problem("missing-key", path, message, hint, fix=fix)


def meant_kind(name: str, known: Sequence[str]) -> str:
    """The kind that is called `name` elsewhere: a built-in one, or a class of a package as it is named here."""
    from craftc.compiler.language.foreign_words import foreign_kind

    module, dot, last = name.rpartition(".")
    if ":" not in name and dot and module and last:
        return f"{module}:{last}"
    return name if name in known or ":" in name else foreign_kind(name, list(known)) or name


def meant_as(path: Path, others: Sequence[str]) -> TreeEdit | None:
    """The one key, of those that are taken whatever they are called, that can only be the one missing at `path`."""
    slips = [other for other in others if surely_meant(other, [str(path[-1])]) is not None]
    return rename((*path[:-1], slips[0]), str(path[-1])) if len(slips) == 1 else None


def _no_component(path: Path, value: Any, field: ComponentField, kinds: Sequence[str]) -> Problem:
    one = "the name of a component, or a mapping with its kind"
    many = field.is_list(path)
    expected = f"a list, each {one}" if many else one
    if many and field.group == VALUES:
        expected = "a number, or a list of phases, each a mapping with its kind"
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    suggestion = Suggestion()
    if many and isinstance(value, dict):
        is_one = "kind" in value or any(word in value for word in ("type", "name", "class_path", "_target_"))
        suggestion = Suggestion("begin it with a dash", wrap(path, "[", "]") if is_one else None)
    elif many and is_off(value):
        suggestion = _emptied(path, field)
    elif many and isinstance(value, str) and "," not in value:
        suggestion = Suggestion(f"a list stands in brackets: [{value}]", wrap(path, "[", "]"))
    elif not many and is_off(value) and "none" in kinds:
        suggestion = Suggestion("write none to switch it off", write_as(path, "none"))
    return Problem("wrong-type", path, message, suggestion.hint, fix=suggestion.fix)


def _emptied(path: Path, field: ComponentField) -> Suggestion:
    """What is written for no component at all; where one is needed, the default is what is meant."""
    if _may_be_empty(path):
        return Suggestion("an empty list is []", write_as(path, "[]"))
    default = [component.kind for component in field.field.make_default()]
    return Suggestion(f"leave it out for {', '.join(default)}", write_as(path, yaml_value(default)))


def _may_be_empty(path: Path) -> bool:
    return any(not part.get("minItems") for part in options(fragment_at(path)) if part.get("type") == "array")


def wrong_value(path: Path, value: Any, fragment: dict[str, Any], kinds: set[ViolationKind]) -> Problem:
    expected = "a range" if path[:2] == SPACE and len(path) == 3 else describe(fragment)
    message = f'"{format_path(path)}" is {show(value)}; expected {expected}'
    if "bounds" in kinds:
        return Problem("out-of-bounds", path, message)
    takes_numbers = any(_takes_numbers(part) for part in options(fragment))
    in_quotes = takes_numbers and isinstance(value, str) and _is_number(value)
    hint = "a number stands without quotes" if in_quotes else None
    fix = number_in_quotes(path, value, fragment) if in_quotes else None
    suggestion = Suggestion(hint, fix) if hint is not None else suggest(path, value, fragment)
    if path in _FREE_TEXTS and isinstance(value, int | float):
        suggestion = Suggestion("put it in quotes, which make it text", wrap(path, '"', '"'))
    if takes_numbers and suggestion.hint is None and isinstance(value, str):
        suggestion = Suggestion(look_alikes(value, "0"))
    if kinds == {"choice"} or ("choice" in kinds and isinstance(value, str)):
        choices = [str(name) for part in options(fragment) for name in _choices(part)]
        if suggestion.hint is None:
            suggestion = _choice(path, value, choices)
        return Problem("unknown-choice", path, message, suggestion.hint, fix=suggestion.fix)
    return Problem("wrong-type", path, message, suggestion.hint, fix=suggestion.fix)


def _choice(path: Path, value: Any, choices: Sequence[str]) -> Suggestion:
    """The choice that is likely meant, or that another tool calls so."""
    from craftc.compiler.language.foreign_words import CHOICES

    meant = surely_meant(value, choices) if isinstance(value, str) else None
    if meant is not None:
        return Suggestion(did_you_mean(str(value), choices), respell(path, meant))
    called = CHOICES.get(str(value).lower())
    if called in choices and not isinstance(value, bool):
        return Suggestion(f"it is called {called} here", write_as(path, str(called)))
    return Suggestion(did_you_mean(str(value), choices))


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
