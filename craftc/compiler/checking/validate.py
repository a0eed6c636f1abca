"""A resolved tree to a Spec, or every key and value that does not fit.

Two vocabularies are checked alike: the sections, by the annotations of `schemas/spec.py`, and the arguments of
components, by their catalogue entries. What is mistaken is then mended, by dropping it or by a placeholder, so that
the rules between fields can still be checked; `tainted` names what was mended.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any

from craftc.compiler.checking.arguments import check_component
from craftc.compiler.checking.repair import repair_all
from craftc.compiler.checking.value_problems import empty_value, section_problems
from craftc.compiler.language.component_fields import component_places, fields_of
from craftc.compiler.language.spec_places import component_field, required_paths
from craftc.compiler.language.taken_out import all_as_written, as_written, take_out
from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.compiler.reading.tree import Touching, copy_tree, set_path
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import Violation
from craftc.schemas.language import PROGRAM, class_of, is_of
from craftc.schemas.program_spec import ProgramSpec
from craftc.schemas.section import fit_section
from craftc.schemas.spec import Experiment

_MAX_MENDS = 8
NOTHING_YET: Mapping[Path, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Validated:
    """`spec` is mended where there are problems, and None where it could not be."""

    spec: Experiment | None
    problems: list[Problem]
    tainted: frozenset[Path]


def validate(resolved: dict[str, Any], catalogue: Catalogue, valid: Mapping[Path, Any] = NOTHING_YET) -> Validated:
    """Check a resolved tree against the language and the catalogue, filling in every default.

    An item of a list in whose place stands `none` is taken out of it; problems are at the places as they are written.
    `valid` are sections, and within others components or lists of them, that were validated before: they are taken as
    they are.
    """
    tree = {name: copy_tree(value) for name, value in resolved.items() if (name,) not in valid}
    for path, section in valid.items():
        set_path(tree, path, section)
    places = take_out(tree)
    validated = _validated(tree, catalogue)
    if not places:
        return validated
    tainted = frozenset(as_written(path, places) for path in validated.tainted)
    return Validated(validated.spec, all_as_written(validated.problems, places), tainted)


def _validated(tree: dict[str, Any], catalogue: Catalogue) -> Validated:
    """Of a tree that may be changed."""
    problems: list[Problem] = []
    for place in component_places(tree, fields_of(class_of(tree))):
        problems += check_component(place, catalogue)
        if len(problems) > MAX_TOLD:
            return Validated(None, problems, frozenset())
    mended: list[Path] = []
    for _ in range(_MAX_MENDS):
        spec, found = _validate_sections(tree, catalogue)
        if spec is not None:
            told = _without_meant(problems)
            mistakes = [problem for problem in problems if problem.severity != "note"]
            tainted = {path for problem in mistakes for path in (problem.path, *problem.reads)}
            return Validated(spec, told, frozenset(tainted.union(mended)))
        # What an earlier mend left behind is no mistake of the user's.
        left_behind = Touching(mended)
        problems += [p for p in found if p.path not in left_behind]
        if len(problems) > MAX_TOLD:
            break
        mended += repair_all(tree, found)
    return Validated(None, _without_meant(problems), frozenset())


def _validate_sections(tree: dict[str, Any], catalogue: Catalogue) -> tuple[Experiment | None, list[Problem]]:
    """The spec, or what keeps the tree from being one."""
    violations: list[Violation] = []
    spec: Experiment = fit_section(class_of(tree))(tree, (), violations)
    found = section_problems(violations, tree, catalogue)
    told = {problem.path for problem in found}
    # What is None where nothing is written is not so by being written as nothing: that is a slip.
    found += [empty_value(path) for path in islice(empty_places(tree), MAX_TOLD + 1) if path not in told]
    return (None, found) if found else (spec, [])


def empty_places(tree: dict[str, Any], prefix: Path = ()) -> Iterable[Path]:
    """Where a section has a key without a value; what an ablation sets is looked at in its variants."""
    for key, value in tree.items():
        path = (*prefix, key)
        if value is None:
            yield path
        elif isinstance(value, dict) and path != ("ablation",) and component_field(path) is None:
            yield from empty_places(value, path)


def _without_meant(problems: list[Problem]) -> list[Problem]:
    """Without the missing keys that stand there under a name just beside their own, and the missing sections whose
    required keys all stand elsewhere."""
    meant = {path for problem in problems if problem.code == "unknown-key" for path in problem.reads}
    return [problem for problem in problems if problem.code != "missing-key" or not _is_meant(problem.path, meant)]


def _is_meant(missing: Path, meant: Set[Path]) -> bool:
    if (PROGRAM,) in meant and (missing == ("training",) or not is_of(ProgramSpec, missing)):
        return True
    if missing in meant or not any(path[: len(missing)] == missing for path in meant):
        return missing in meant
    return {path for path in required_paths() if path[:-1] == missing} <= meant
