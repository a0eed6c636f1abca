"""A resolved tree to a Spec, or every key and value that does not fit.

Two vocabularies are checked alike: the sections, by the pydantic models of `schemas/spec.py`, and the arguments of
components, by their catalogue entries. What is mistaken is then mended, by dropping it or by a placeholder, so that
the rules between fields can still be checked; `tainted` names what was mended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError

from craftc.compiler.component_fields import ComponentPlace, component_places
from craftc.compiler.mend import mend_all
from craftc.compiler.misfits import by_place, empty_value, inner_type, section_problems, unknown_key, wrong_value
from craftc.compiler.problem import MAX_TOLD, Problem, did_you_mean, one_of, show
from craftc.compiler.spec_places import component_field
from craftc.compiler.tree import Touching, copy_tree
from craftc.compiler.value_type import adapter, describe
from craftc.schemas.catalogue import Catalogue, ComponentEntry
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec

_MAX_MENDS = 8


@dataclass(frozen=True)
class Validated:
    """`spec` is mended where there are problems, and None where it could not be; `tree` holds its plain values."""

    spec: Spec | None
    tree: dict[str, Any]
    problems: list[Problem]
    tainted: frozenset[Path]


def validate(resolved: dict[str, Any], catalogue: Catalogue) -> Validated:
    """Check a resolved tree against the language and the catalogue, filling in every default."""
    tree = copy_tree(resolved)
    problems: list[Problem] = []
    for place in component_places(tree):
        problems += _check_component(place, catalogue)
        if len(problems) > MAX_TOLD:
            return Validated(None, tree, problems, frozenset())
    mended: list[Path] = []
    for _ in range(_MAX_MENDS):
        spec, found = _validate_sections(tree, catalogue)
        if spec is not None:
            told = _without_meant(problems)
            tainted = {path for problem in problems for path in (problem.path, *problem.reads)}
            return Validated(spec, spec.model_dump(mode="json"), told, frozenset(tainted.union(mended)))
        # What an earlier mend left behind is no mistake of the user's.
        left_behind = Touching(mended)
        problems += [p for p in found if p.path not in left_behind]
        if len(problems) > MAX_TOLD:
            break
        mended += mend_all(tree, found)
    return Validated(None, tree, _without_meant(problems), frozenset())


def _validate_sections(tree: dict[str, Any], catalogue: Catalogue) -> tuple[Spec | None, list[Problem]]:
    """The spec, or what keeps the tree from being one."""
    spec, found = None, []
    try:
        spec = Spec.model_validate(tree)
    except ValidationError as error:
        found = section_problems(error, tree, catalogue)
    told = {problem.path for problem in found}
    # What is None where nothing is written is not so by being written as nothing: that is a slip.
    found += [empty_value(path) for path in islice(_empty_places(tree), MAX_TOLD + 1) if path not in told]
    return (None, found) if found else (spec, [])


def _empty_places(tree: dict[str, Any], prefix: Path = ()) -> Iterable[Path]:
    """Where a section has a key without a value; what an ablation sets is looked at in its variants."""
    for key, value in tree.items():
        path = (*prefix, key)
        if value is None:
            yield path
        elif isinstance(value, dict) and path != ("ablation",) and component_field(path) is None:
            yield from _empty_places(value, path)


def _without_meant(problems: list[Problem]) -> list[Problem]:
    """Without the missing keys that stand there under a name just beside their own."""
    meant = {path for problem in problems if problem.code == "unknown-key" for path in problem.reads}
    return [problem for problem in problems if problem.code != "missing-key" or problem.path not in meant]


def _check_component(place: ComponentPlace, catalogue: Catalogue) -> list[Problem]:
    """Check a component's arguments, drop the mistaken ones from its mapping and fill in defaults."""
    kind = place.value.get("kind")
    if not isinstance(kind, str):
        return []
    entry = catalogue.find(place.group, kind)
    if entry is None:
        known = catalogue.kinds(place.group)
        hint = did_you_mean(kind, known) or f"known are {one_of(known)}"
        message = f"{show(kind)} is not a kind of {format_path(place.path)}"
        return [Problem("unknown-kind", (*place.path, "kind"), message, hint)]
    problems = []
    for name in [key for key in place.value if key != "kind" and key not in place.reserved]:
        found = _check_argument(place, entry, name, catalogue)
        problems += found
        if found:
            del place.value[name]
        if len(problems) > MAX_TOLD:
            return problems
    for parameter in entry.parameters:
        if parameter.name in place.value:
            continue
        if not parameter.required:
            place.value[parameter.name] = copy_tree(parameter.default)
        elif not any(problem.path[: len(place.path) + 1] == (*place.path, parameter.name) for problem in problems):
            message = f'"{format_path(place.path)}" needs "{parameter.name}"'
            hint = f"{kind} takes {describe(parameter.type)} there"
            problems.append(Problem("missing-key", (*place.path, parameter.name), message, hint))
    return problems


def _check_argument(place: ComponentPlace, entry: ComponentEntry, name: str, catalogue: Catalogue) -> list[Problem]:
    """Check one argument and put its validated value in place; what of it does not fit."""
    path = (*place.path, name)
    parameter = entry.parameter(name)
    if parameter is None:
        known = [parameter.name for parameter in entry.parameters] + sorted(place.reserved)
        return [unknown_key(path, known, f"{entry.kind} takes {one_of(known)}", catalogue)]
    value = place.value[name]
    try:
        place.value[name] = adapter(parameter.type).validate_python(value)
    except ValidationError as error:
        problems = []
        for inner, items in islice(by_place(error, value).items(), MAX_TOLD + 1):
            expected, types = inner_type(parameter.type, inner), {item["type"] for item in items}
            problems.append(wrong_value((*path, *inner), items[0]["input"], expected, types))
        return problems
    return []
