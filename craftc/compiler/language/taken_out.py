"""Takes out the items of lists in whose place stands `none`, and finds the places that the others are written at.

What is checked and planned is a spec without them; what varies a spec counts the items as they are written, so that the
others keep their paths.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin

from craftc.compiler.language.component_fields import EACH, fields_of, values_at
from craftc.compiler.language.spec_places import NONE
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import set_path
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import class_of
from craftc.schemas.section import Section, is_section

Places = Mapping[Path, tuple[int, ...]]
"""Of each list that has lost items, where those that are left are written."""
NOWHERE: Places = MappingProxyType({})


def item_lists(spec: Any) -> tuple[Path, ...]:
    """The paths of the lists of components and of sections of one kind of spec."""
    return _item_lists(spec)


@cache
def _item_lists(spec: Any) -> tuple[Path, ...]:
    components = [(*field.path, EACH) if field.by_name else field.path for field in fields_of(spec) if field.many]
    return (*components, *(path for path in _lists_of_sections(spec, ()) if path not in components))


def _lists_of_sections(section: type[Section], prefix: Path) -> Iterator[Path]:
    for name, field in section.fields.items():
        path = (*prefix, name)
        parts = get_args(field.annotation)
        if get_origin(field.annotation) is tuple and parts and is_section(parts[0]):
            yield path
        elif not field.is_mapping:
            for inner in field.sections:
                yield from _lists_of_sections(inner, path)


def take_out(tree: dict[str, Any]) -> Places:
    """Take the items out, in place."""
    found = places_of(tree)
    for path, kept in found.items():
        items = next(value for place, value in values_at(tree, path) if place == path)
        set_path(tree, path, [items[index] for index in kept])
    return found


def put_back(tree: dict[str, Any], written: dict[str, Any]) -> None:
    """Have the lists of a spec without those items be as long as they are written, in place."""
    for path, kept in places_of(written).items():
        num = next(len(value) for place, value in values_at(written, path) if place == path)
        items = next((value for place, value in values_at(tree, path) if place == path), None)
        if isinstance(items, list) and len(items) == len(kept):
            whole: list[Any] = [NONE] * num
            for index, item in zip(kept, items, strict=True):
                whole[index] = item
            set_path(tree, path, whole)


def places_of(tree: dict[str, Any]) -> Places:
    """Of a tree as it is written."""
    found: dict[Path, tuple[int, ...]] = {}
    for pattern in item_lists(class_of(tree)):
        for path, items in values_at(tree, pattern):
            if isinstance(items, list) and any(isinstance(item, str) and item == NONE for item in items):
                found[path] = tuple(i for i, item in enumerate(items) if not (isinstance(item, str) and item == NONE))
    return found or NOWHERE


def as_written(path: Path, places: Places) -> Path:
    """Where a place of the spec is written."""
    for above, kept in places.items():
        index = path[len(above)] if path[: len(above)] == above and len(path) > len(above) else None
        if isinstance(index, int) and index < len(kept):
            return (*above, kept[index], *path[len(above) + 1 :])
    return path


def all_as_written(problems: list[Problem], places: Places) -> list[Problem]:
    """Problems of the spec, each where it is written. One that is moved has no mend: that says where to write."""
    if not places:
        return problems
    return [_as_written(problem, places) for problem in problems]


def _as_written(problem: Problem, places: Places) -> Problem:
    path = as_written(problem.path, places)
    reads = tuple(as_written(place, places) for place in problem.reads)
    if path == problem.path and reads == problem.reads:
        return problem
    return replace(problem, path=path, reads=reads, fix=None if path != problem.path else problem.fix)
