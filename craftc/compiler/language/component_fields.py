"""Lists the fields of a spec that hold components, as the schema declares them."""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple, cast, get_args

from craftc.compiler.language.value_type import group_of
from craftc.schemas.catalogue import NESTED, Catalogue, Group, is_nested
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import SECTIONS, Language, is_of
from craftc.schemas.section import Section, SectionField, bare, is_section
from craftc.schemas.spec import Component, ComponentGroup

EACH = "*"
"""In the path of a field, stands for a key of the user's own: `evaluation.passes.*.views`."""


class ComponentField(NamedTuple):
    """A field that names one component, with `many` a list of them, or with `by_name` a mapping of either whose keys
    are the user's. Its path may have EACH in it.

    `reserved` are keys beside `kind` that belong to the section and not to the component.
    """

    path: Path
    group: str
    many: bool
    reserved: frozenset[str]
    field: SectionField
    by_name: bool = False

    def holds(self, path: Path) -> bool:
        """Whether one of its components stands at a path."""
        return self.is_list(path[:-1]) and isinstance(path[-1], int) if self.many else self._is_entry(path)

    def is_list(self, path: Path) -> bool:
        """Whether a list of its components stands at a path."""
        return self.many and self._is_entry(path)

    def is_at(self, path: Path) -> bool:
        """Whether a path is one of its places."""
        own = self.path
        return len(own) == len(path) and all(a in (EACH, b) for a, b in zip(own, path, strict=True))

    @property
    def is_named_by_user(self) -> bool:
        """Whether it stands at keys of the user's own."""
        return self.by_name or EACH in self.path

    def _is_entry(self, path: Path) -> bool:
        return self.is_at(path[:-1] if self.by_name else path)


class ComponentPlace(NamedTuple):
    """A component that a tree holds: its place, its group, and the mapping itself."""

    path: Path
    group: str
    reserved: frozenset[str]
    value: dict[str, Any]


@lru_cache(maxsize=1)
def component_fields() -> tuple[ComponentField, ...]:
    """Every field of the language that takes components, in the order of the schema."""
    return tuple(_walk(Language, ()))


def fields_of(spec: Any) -> tuple[ComponentField, ...]:
    """Those of one kind of spec, by its class."""
    return _fields_of(spec)


@cache
def _fields_of(spec: Any) -> tuple[ComponentField, ...]:
    return tuple(field for field in component_fields() if is_of(spec, field.path))


def _walk(section: type[Section], prefix: Path) -> Iterator[ComponentField]:
    for name, field in section.fields.items():
        path = (*prefix, name)
        group = group_of_field(field)
        if group is not None:
            by_name = field.is_mapping
            inner = bare(get_args(field.annotation)[-1])[0] if by_name else field.annotation
            many = not is_section(inner)
            [component] = (inner for inner in field.sections if issubclass(inner, Component))
            yield ComponentField(path, group, many, frozenset(component.fields) - {"kind"}, field, by_name)
        for inner in field.sections:
            yield from _walk(inner, (*path, EACH) if field.is_mapping and group is None else path)


def group_of_field(field: SectionField) -> str | None:
    """The group of the components that a key holds; None of any other key."""
    return next((mark.name for mark in field.metadata if isinstance(mark, ComponentGroup)), None)


@lru_cache(maxsize=1)
def groups_of_trials() -> tuple[Group, ...]:
    """The groups whose components are part of a trial."""
    found = (field.group for field in component_fields() if field.path[0] in SECTIONS)
    return tuple(dict.fromkeys(cast("Group", group) for group in found))


def component_places(tree: dict[str, Any], fields: Iterable[ComponentField] | None = None) -> Iterator[ComponentPlace]:
    """Every component that stands in a tree as a mapping, or those of some fields."""
    for field in component_fields() if fields is None else fields:
        pattern = (*field.path, EACH) if field.by_name else field.path
        for path, value in values_at(tree, pattern):
            if field.many and isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, dict):
                        yield ComponentPlace((*path, index), field.group, field.reserved, item)
            elif not field.many and isinstance(value, dict):
                yield ComponentPlace(path, field.group, field.reserved, value)


def values_at(tree: Any, pattern: Path) -> Iterator[tuple[Path, Any]]:
    """What stands at the path of a field, at each of its places that there is."""
    if EACH in pattern:
        before = pattern[: pattern.index(EACH)]
        for path, found in values_at(tree, before):
            for key in found if isinstance(found, dict) else ():
                of_key = values_at(found[key], pattern[len(before) + 1 :])
                yield from (((*path, key, *rest), value) for rest, value in of_key)
        return
    for part in pattern:
        if not isinstance(tree, dict) or part not in tree:
            return
        tree = tree[part]
    yield pattern, tree


def all_component_places(
    tree: dict[str, Any], catalogue: Catalogue, fields: Iterable[ComponentField] | None = None
) -> Iterator[ComponentPlace]:
    """Every component of a tree, or of some fields, and those in the arguments of others."""
    for place in component_places(tree, fields):
        yield place
        yield from places_in_arguments(place, catalogue)


def places_in_arguments(place: ComponentPlace, catalogue: Catalogue) -> Iterator[ComponentPlace]:
    """The components in the arguments of one, and in theirs."""
    collections = [
        (name, value)
        for name, value in place.value.items()
        if isinstance(value, dict | list) and name not in place.reserved
    ]
    groups = argument_groups(place, catalogue) if collections else {}
    for name, value in collections:
        if isinstance(value, dict) and name in groups:
            inner = ComponentPlace((*place.path, name), groups[name], frozenset(), value)
            yield inner
            yield from places_in_arguments(inner, catalogue)
        else:
            yield from _nested_places((*place.path, name), value)


def argument_groups(place: ComponentPlace, catalogue: Catalogue) -> dict[str, str]:
    """The arguments of a component that take components of a group, and which."""
    entry = catalogue.find(place.group, str(place.value.get("kind")))
    found = ((parameter.name, group_of(parameter.type)) for parameter in (entry.parameters if entry else ()))
    return {name: group for name, group in found if group is not None}


def _nested_places(path: Path, value: Any) -> Iterator[ComponentPlace]:
    if is_nested(value):
        yield ComponentPlace(path, NESTED, frozenset(), value)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _nested_places((*path, key), item)
