"""Lists every text in the tree of a spec, with what the language says of its field."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from craftc.compiler.language.spec_places import component_field
from craftc.compiler.language.value_type import group_of, is_file, item_at
from craftc.compiler.reading.document import Node
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.language import Language
from craftc.schemas.section import Section
from craftc.schemas.spec import FromEnvironment

Mark = Literal["path", "name"]
"""What differs between machines: a file or folder that a component reads, which counts by its content; or a name that
belongs to a place and not to a result."""
_NESTED = "nested"
"""The group of a component of the user's own in the argument of another."""


class Text(NamedTuple):
    """A text, where it stands, and its mark, if its field has one."""

    place: Path
    node: Node
    mark: Mark | None


def text_values(root: Node, catalogue: Catalogue, wanted: Callable[[Node, str], bool]) -> Iterator[Text]:
    """Every wanted value that is text. What an ablation or a search sets is looked at as the field that it sets."""
    yield from _Walk(root, catalogue, wanted).text_values(root, (), ())


@lru_cache(maxsize=1)
def name_fields() -> tuple[Path, ...]:
    """The fields that are marked in the schema."""

    def walk(section: type[Section], prefix: Path) -> Iterator[Path]:
        for name, field in section.fields.items():
            if any(isinstance(mark, FromEnvironment) for mark in field.metadata):
                yield (*prefix, name)
            for inner in field.sections:
                yield from walk(inner, (*prefix, name))

    return tuple(walk(Language, ()))


class _Owner(NamedTuple):
    """The component whose argument a value is."""

    group: str
    kind: str
    path: Path
    reserved: frozenset[str]


class _Walk:
    """`place` is where a value stands, `target` the field that it is a value of; None where that is none."""

    def __init__(self, root: Node, catalogue: Catalogue, wanted: Callable[[Node, str], bool]) -> None:
        self.root = root
        self.catalogue = catalogue
        self.wanted = wanted

    def text_values(self, node: Node, place: Path, target: Path | None, owner: _Owner | None = None) -> Iterator[Text]:
        if isinstance(node.value, str):
            if self.wanted(node, node.value):
                yield Text(place, node, None if target is None else self._mark(target, owner, node.value))
        elif isinstance(node.value, list):
            for index, item in enumerate(node.value):
                yield from self.text_values(item, (*place, index), None if target is None else (*target, index), owner)
        elif isinstance(node.value, dict):
            owner = owner if target is None else self._owner(node, target, owner)
            for key, (_, value) in node.value.items():
                inner = (*place, key)
                if _sets_fields(place):
                    yield from self._settings(value, inner, parse_path(key))
                else:
                    yield from self.text_values(value, inner, None if target is None else (*target, key), owner)

    def _owner(self, node: Node, target: Path, outer: _Owner | None) -> _Owner | None:
        """The component that a mapping is, or else the one that it is within."""
        kind = _text(node.entry("kind")) or ""
        field = component_field(target)
        if field is not None:
            return _Owner(field.group, kind, target, field.reserved)
        group = self._group_of_argument(target, outer)
        if group is not None:
            return _Owner(group, kind, target, frozenset())
        is_nested = ":" in kind and (outer or self._set_owner(target)) is not None
        return _Owner(_NESTED, kind, target, frozenset()) if is_nested else outer

    def _group_of_argument(self, target: Path, outer: _Owner | None) -> str | None:
        """The group of the component that an argument takes."""
        owner = outer or self._set_owner(target)
        if owner is None or target[:-1] != owner.path:
            return None
        entry = self.catalogue.find(owner.group, owner.kind)
        parameter = entry.parameter(str(target[-1])) if entry is not None else None
        return None if parameter is None else group_of(parameter.type)

    def _set_owner(self, target: Path) -> _Owner | None:
        """The component of the spec as written that a path of an ablation or a search leads into."""
        for length in range(1, len(target)):
            field = component_field(target[:length])
            if field is not None and target[length] not in field.reserved:
                written: Node | None = self.root
                for part in target[:length]:
                    written = _child(written, part)
                kind = _text(written) or _text(_child(written, "kind")) or ""
                return _Owner(field.group, kind, target[:length], field.reserved)
        return None

    def _settings(self, value: Node, place: Path, target: Path) -> Iterator[Text]:
        """A value that `place` sets a field to, or each of several."""
        several: list[tuple[Path, Node]] = [(place, value)]
        if place[1] in ("grid", "zip") and isinstance(value.value, list):
            several = [((*place, index), item) for index, item in enumerate(value.value)]
        elif place[:2] == ("search", "space"):
            choice = value.entry("choice")
            items = choice.value if choice is not None and isinstance(choice.value, list) else []
            several = [((*place, "choice", index), item) for index, item in enumerate(items)]
        for inner, item in several:
            yield from self.text_values(item, inner, target)

    def _mark(self, target: Path, owner: _Owner | None, value: str) -> Mark | None:
        if target in name_fields():
            return "name"
        if target == ("data", "splits", "file") and value != "none":
            return "path"
        owner = owner or self._set_owner(target)
        argument = target[len(owner.path) :] if owner is not None else ()
        if owner is None or not argument or argument[0] in owner.reserved:
            return None
        entry = self.catalogue.find(owner.group, owner.kind)
        parameter = entry.parameter(str(argument[0])) if entry is not None else None
        if parameter is None:
            return None
        if parameter.from_environment:
            return "name"
        return "path" if is_file(value, item_at(parameter.type, argument[1:])) and not value.startswith(TRIAL) else None


def _child(node: Node | None, part: str | int) -> Node | None:
    if node is None or not isinstance(part, int):
        return node.entry(part) if node is not None and isinstance(part, str) else None
    return node.value[part] if isinstance(node.value, list) and part < len(node.value) else None


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _sets_fields(place: Path) -> bool:
    """Whether the keys of the mapping at a place are paths of fields."""
    if place in (("ablation", "grid"), ("ablation", "zip"), ("search", "space")):
        return True
    return len(place) == 3 and place[:2] in (("ablation", "features"), ("ablation", "exclude"))
