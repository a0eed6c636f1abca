"""A component's mapping and the catalogue in; its arguments checked, defaults filled in, and what does not fit out."""

from dataclasses import replace
from itertools import islice
from typing import Any

from craftc.compiler.checking.component_itself import component_itself
from craftc.compiler.checking.suggestion import is_off
from craftc.compiler.checking.unknown_key import unknown_key
from craftc.compiler.checking.value_problems import (
    by_place,
    inner_type,
    meant_as,
    meant_kind,
    wrong_value,
)
from craftc.compiler.language.component_fields import ComponentPlace
from craftc.compiler.language.value_type import CLASS, Nested, checker, describe, group_of, is_component, options
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.problem import MAX_TOLD, Problem, all_of, did_you_mean, one_of, show
from craftc.compiler.reading.tree import copy_tree
from craftc.compiler.reading.tree_edit import respell, rewrite, wrap
from craftc.schemas.catalogue import (
    ANY_OTHER,
    ARGS,
    AS,
    AS_CLASS,
    DATA_FACTS,
    NESTED,
    Catalogue,
    ComponentEntry,
    Parameter,
    fact_of,
    is_class,
    is_nested,
    is_own,
)
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.fit import Violation
from craftc.schemas.terms import TERMS


def check_component(place: ComponentPlace, catalogue: Catalogue) -> list[Problem]:
    """Check a component's arguments, drop the mistaken ones from its mapping and fill in defaults.

    What stands in an argument's place as a component is checked alike.
    """
    kind = place.value.get("kind")
    if not isinstance(kind, str):
        return []
    entry = catalogue.find(place.group, kind)
    if entry is None:
        return [_unknown_kind(place, kind, catalogue)]
    problems = _wrong_as(place)
    by_position = _named(place, entry, problems)
    found = _check_arguments(place, entry, catalogue)
    if any(problem.path == (*place.path, ARGS) for problem in problems):
        # It is not known which arguments were meant.
        found = [problem for problem in found if problem.code != "missing-key"]
    return problems + [_at_its_position(problem, place.path, by_position) for problem in found]


def _named(place: ComponentPlace, entry: ComponentEntry, problems: list[Problem]) -> dict[str, int]:
    """Put the arguments that are given by position beside those by name; which they are, with their positions."""
    if place.group != NESTED or ARGS not in place.value or entry.parameter(ARGS) is not None:
        return {}
    path, given, names = (*place.path, ARGS), place.value.pop(ARGS), entry.by_position
    if not isinstance(given, list):
        problems.append(Problem("wrong-type", path, f"{ARGS} are arguments by position, a list, not {show(given)}"))
        return {}
    if len(given) > len(names):
        takes = f"{len(names)} by position: {all_of(names)}" if names else "none by position"
        message = f"{ARGS} has {len(given)} arguments, and {entry.kind} takes {takes}"
        problems.append(Problem("wrong-type", path, message, related=entry.definition()))
    by_position: dict[str, int] = {}
    for index, (name, value) in enumerate(zip(names, given, strict=False)):
        if name in place.value:
            message = f"{entry.kind} is given {name} twice, by name and by position"
            problems.append(Problem("duplicate-key", (*path, index), message, related=entry.definition(name)))
            continue
        place.value[name] = value
        by_position[name] = index
    return by_position


def _at_its_position(problem: Problem, path: Path, by_position: dict[str, int]) -> Problem:
    """What is wrong with an argument, where it is written."""
    inner = problem.path[len(path) :]
    if not inner or inner[0] not in by_position:
        return problem
    return replace(problem, path=(*path, ARGS, by_position[str(inner[0])], *inner[1:]), fix=None)


def _check_arguments(place: ComponentPlace, entry: ComponentEntry, catalogue: Catalogue) -> list[Problem]:
    problems: list[Problem] = []
    unchecked = []
    reserved = {"kind", *place.reserved, *([AS] if place.group == NESTED else [])}
    for name in [key for key in place.value if key not in reserved]:
        found = _check_argument(place, entry, name, catalogue)
        problems += found
        if len(problems) > MAX_TOLD:
            return problems
        if any(problem.severity == "error" for problem in found):
            del place.value[name]
        elif entry.parameter(name) is None:
            unchecked.append(name)
    notes = [_unchecked(place, entry, unchecked)] if unchecked else []
    if place.group == NESTED and AS in place.value:
        return problems + notes  # the code that calls the class gives what is missing
    return problems + _missing(place, entry, catalogue, problems, unchecked) + notes


def _wrong_as(place: ComponentPlace) -> list[Problem]:
    """What stands at `as`, but for `class`."""
    if place.group != NESTED or AS not in place.value or is_class(place.value):
        return []
    path = (*place.path, AS)
    return [
        Problem("unknown-choice", path, f"{show(place.value[AS])} is nothing to hand a component as", "write class")
    ]


def _unknown_kind(place: ComponentPlace, kind: str, catalogue: Catalogue) -> Problem:
    path = (*place.path, "kind")
    if kind.startswith("kind:"):
        name = kind.removeprefix("kind:").strip()
        fix = rewrite(place.path, f"{{kind: {name}}}") if len(place.value) == 1 else None
        hint = f"a space follows the colon: kind: {name}"
        return Problem("unknown-kind", path, f"{show(kind)} is no kind", hint, fix=fix)
    unreadable = catalogue.unreadable.get((place.group, kind))
    if unreadable is not None:
        return Problem(unreadable.code, path, unreadable.message, unreadable.hint, related=unreadable.related)
    if is_own(kind):
        return Problem("unknown-component", path, f"{show(kind)} is not of the form package.module:Name")
    known = catalogue.kinds(place.group)
    module, dot, name = kind.rpartition(".")
    own = f'one of your own is written "{module}:{name}"' if dot and module and name else None
    if name == "py" and place.group == "programs":
        own = f"name the function in it that trains: {module.replace('/', '.')}:FUNCTION"
    meant = surely_meant(kind, known)
    here = None if meant is not None or own else meant_kind(kind, known)
    called = f"it is called {here} here" if here in known else None
    hint = own or called or did_you_mean(kind, known) or f"known are {one_of(known)}"
    fix = respell(path, meant) if meant is not None else None
    return Problem("unknown-kind", path, f"{show(kind)} is not a kind of {format_path(place.path)}", hint, fix=fix)


def _missing(
    place: ComponentPlace, entry: ComponentEntry, catalogue: Catalogue, problems: list[Problem], unchecked: list[str]
) -> list[Problem]:
    """Fill in the defaults of what is not written; what must be written and is not."""
    missing: list[Problem] = []
    needed = [each for each in entry.parameters if each.required and each.name not in {*place.value, ANY_OTHER}]
    if (itself := component_itself(place.path, place.group, entry, needed)) is not None:
        return [itself]
    for parameter in entry.parameters:
        if parameter.name in place.value or parameter.name == ANY_OTHER:
            continue
        path = (*place.path, parameter.name)
        if not parameter.required:
            if not parameter.computed:
                place.value[parameter.name] = copy_tree(parameter.default)
                missing += _fill_default(place, parameter, catalogue)
        elif not any(problem.path[: len(path)] == path for problem in problems):
            message = f'"{format_path(place.path)}" needs "{parameter.name}"'
            near = nearest(parameter.name, unchecked)
            hint = (
                f"{entry.kind} takes {describe(parameter.type)} there"
                if near is None
                else f'is "{near}" meant to be it?'
            )
            fix = meant_as(path, unchecked)
            related = entry.definition(parameter.name)
            missing.append(Problem("missing-key", path, message, hint, related=related, fix=fix))
    return missing


def _fill_default(place: ComponentPlace, parameter: Parameter, catalogue: Catalogue) -> list[Problem]:
    """A component that is a default has defaults of its own."""
    value = place.value[parameter.name]
    group = group_of(parameter.type) if isinstance(value, dict) else None
    if group is None:
        return []
    return check_component(ComponentPlace((*place.path, parameter.name), group, frozenset(), value), catalogue)


def _unchecked(place: ComponentPlace, entry: ComponentEntry, names: list[str]) -> Problem:
    """A note on all that `**kwargs` takes."""
    is_one = len(names) == 1
    given = one_of([show(name) for name in names]).replace(" or ", " and ")
    message = f"{entry.kind} takes any further argument, so {given} {'is' if is_one else 'are'} not checked"
    known = [parameter.name for parameter in entry.parameters if parameter.name not in place.value]
    near = next((near for name in names if (near := nearest(name, known))), None)
    hint = f'is "{near}" meant?' if near else None
    path = (*place.path, names[0])
    return Problem("unchecked-argument", path, message, hint, True, "note", related=entry.definition())


def _check_argument(place: ComponentPlace, entry: ComponentEntry, name: str, catalogue: Catalogue) -> list[Problem]:
    """Check one argument and put its validated value in place; what of it does not fit."""
    path = (*place.path, name)
    parameter = entry.parameter(name) or entry.parameter(ANY_OTHER)
    if parameter is None or name == ANY_OTHER:
        # Terms stand in the place of a kind, and not beside one.
        beside = sorted(place.reserved - {TERMS[-1]})
        known = [p.name for p in entry.parameters if p.name != ANY_OTHER] + beside
        problem = unknown_key(path, place.value[name], known, f"{entry.kind} takes {one_of(known)}", catalogue)
        return [replace(problem, related=entry.definition())]
    if (fact := fact_of(place.value[name])) is not None and _takes_number(place, parameter):
        return [] if fact in DATA_FACTS else [_no_fact(path, fact)]
    problems: list[Problem] = []
    value = _wrap(place.value[name], path, parameter.type, catalogue, problems)
    violations: list[Violation] = []
    fitted = checker(parameter.type)(value, (), violations)
    if not violations:
        place.value[name] = _unwrap(fitted)
        return problems
    for inner, found in islice(by_place(violations).items(), MAX_TOLD + 1):
        problem = _violation((*path, *inner), found, inner_type(parameter.type, inner))
        if not inner and (found[0].value == [] or is_off(found[0].value)):
            problem = replace(problem, hint=entry.empty_means.get(name, problem.hint))
        problems.append(replace(problem, related=entry.definition(name)))
    return problems


def _takes_number(place: ComponentPlace, parameter: Parameter) -> bool:
    """Whether the data may say what an argument is: numbers, of what is built once the data are known."""
    of_data = place.group in (NESTED, "models", "objectives", "metrics")
    return of_data and any(part == {} or part.get("type") in ("integer", "number") for part in options(parameter.type))


def _no_fact(path: Path, fact: str) -> Problem:
    hint = did_you_mean(fact, DATA_FACTS) or f"there are {all_of(DATA_FACTS)}"
    return Problem("unknown-choice", path, f"{show(fact)} is nothing that can be inferred from the data", hint)


def _violation(path: Path, found: list[Violation], expected: dict[str, Any]) -> Problem:
    value = found[0].value
    takes_class = any(part == CLASS for part in options(expected))
    if isinstance(value, Nested) and takes_class:
        message = f'"{format_path(path)}" is an object of {value.value["kind"]}; expected the class itself'
        return Problem("wrong-type", path, message, f"add {AS}: {AS_CLASS}")
    if isinstance(value, Nested):
        message = f'"{format_path(path)}" is the component {value.value["kind"]}; expected {describe(expected)}'
        return Problem("wrong-type", path, message)
    problem = wrong_value(path, _unwrap(value), expected, {violation.kind for violation in found})
    if isinstance(value, str) and any(is_component(part) for part in options(expected)):
        group = group_of(expected)
        if is_own(value) and takes_class:
            fix = wrap(path, "{kind: ", f", {AS}: {AS_CLASS}}}")
            return replace(problem, hint=f"write {{kind: {value}, {AS}: {AS_CLASS}}}", fix=fix)
        if is_own(value) or group is not None:
            return replace(problem, hint=f"write {{kind: {value}}}", fix=wrap(path, "{kind: ", "}"))
    if value == "none" and {"type": "null"} in options(expected):
        return replace(problem, hint="write null, which is Python's None", fix=rewrite(path, "null"))
    return problem


def _wrap(value: Any, path: Path, expected: dict[str, Any], catalogue: Catalogue, problems: list[Problem]) -> Any:
    """The value with each component in it checked, and marked as one.

    A mapping with a `kind` of another form is refused, unless a mapping is wanted there: then it is one.
    """
    group = group_of(expected)
    if group is not None and isinstance(value, dict) and isinstance(value.get("kind"), str):
        problems += check_component(ComponentPlace(path, group, frozenset(), value), catalogue)
        return Nested(value)
    if isinstance(value, dict):
        kind = value.get("kind")
        if is_nested(value):
            problems += check_component(ComponentPlace(path, NESTED, frozenset(), value), catalogue)
            return Nested(value)
        takes_mapping = any(part.get("type") == "object" and not is_component(part) for part in options(expected))
        if isinstance(kind, str) and not takes_mapping and _may_be_component(expected):
            message = f"{show(kind)} is not a kind of {format_path(path)}"
            hint = "a component in an argument's place is named package.module:Name"
            problems.append(Problem("unknown-kind", (*path, "kind"), message, hint))
            return Nested(value)
        if isinstance(named := value.get(AS_CLASS), str) and is_own(named) and not takes_mapping:
            message = f'"{format_path(path)}" names a class in a form that there is not'
            problems.append(Problem("wrong-type", path, message, f"write {{kind: {named}, {AS}: {AS_CLASS}}}"))
            return Nested({"kind": named, AS: AS_CLASS})
        inner = _ANY_MAPPING if takes_mapping else inner_type(expected, ("",))
        return {key: _wrap(item, (*path, key), inner, catalogue, problems) for key, item in value.items()}
    if isinstance(value, list):
        inner = inner_type(expected, (0,))
        return [_wrap(item, (*path, index), inner, catalogue, problems) for index, item in enumerate(value)]
    return value


_ANY_MAPPING: dict[str, Any] = {"type": "object"}


def _may_be_component(expected: dict[str, Any]) -> bool:
    return any(part == {} or is_component(part) for part in options(expected))


def _unwrap(value: Any) -> Any:
    if isinstance(value, Nested):
        return value.value
    if isinstance(value, dict):
        return {key: _unwrap(item) for key, item in value.items()}
    return [_unwrap(item) for item in value] if isinstance(value, list) else value
