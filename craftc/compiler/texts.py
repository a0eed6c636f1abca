"""A spec's tree to every text in it, and what the language says of the field that each text is for."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel

from craftc.compiler.component_fields import ComponentField
from craftc.compiler.document import Node
from craftc.compiler.misfits import inner_type
from craftc.compiler.spec_places import component_field, options
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import FromEnvironment, Spec

Mark = Literal["data", "path", "name"]
"""What differs between machines: a file or folder of data, which counts by its content; another path that a component
takes; or a name that belongs to a place and not to a result."""


class Text(NamedTuple):
    """A text, where it stands, and its mark, if its field has one."""

    place: Path
    node: Node
    mark: Mark | None


def texts(root: Node, catalogue: Catalogue, wanted: Callable[[Node, str], bool]) -> Iterator[Text]:
    """Every wanted value that is text. What an ablation or a search sets is looked at as the field that it sets."""
    yield from _Walk(root, catalogue, wanted).texts(root, (), ())


@lru_cache(maxsize=1)
def name_fields() -> tuple[Path, ...]:
    """The fields that are marked in the schema."""

    def walk(model: type[BaseModel], prefix: Path) -> Iterator[Path]:
        for name, field in model.model_fields.items():
            if any(isinstance(mark, FromEnvironment) for mark in field.metadata):
                yield (*prefix, name)
            for part in (field.annotation, *get_args(field.annotation)):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    yield from walk(part, (*prefix, name))

    return tuple(walk(Spec, ()))


class _Walk:
    """`place` is where a value stands, `target` the field that it is a value of; None where that is none."""

    def __init__(self, root: Node, catalogue: Catalogue, wanted: Callable[[Node, str], bool]) -> None:
        self.root = root
        self.catalogue = catalogue
        self.wanted = wanted

    def texts(self, node: Node, place: Path, target: Path | None, kind: str | None = None) -> Iterator[Text]:
        if isinstance(node.value, str):
            if self.wanted(node, node.value):
                yield Text(place, node, None if target is None else self._mark(target, kind))
        elif isinstance(node.value, list):
            for index, item in enumerate(node.value):
                yield from self.texts(item, (*place, index), None if target is None else (*target, index), kind)
        elif isinstance(node.value, dict):
            if target is not None and component_field(target) is not None:
                kind = _text(node.entry("kind"))
            for key, (_, value) in node.value.items():
                inner = (*place, key)
                if _sets_fields(place):
                    yield from self._settings(value, inner, parse_path(key))
                else:
                    yield from self.texts(value, inner, None if target is None else (*target, key), kind)

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
            yield from self.texts(item, inner, target)

    def _mark(self, target: Path, kind: str | None) -> Mark | None:
        if target in name_fields():
            return "name"
        for length in range(1, len(target)):
            field = component_field(target[:length])
            if field is not None and target[length] not in field.reserved:
                if not self._is_path(field, target[:length], target[length:], kind):
                    return None
                return "data" if field.group == "sources" and length + 1 == len(target) else "path"
        return None

    def _is_path(self, field: ComponentField, component: Path, argument: Path, kind: str | None) -> bool:
        if kind is None:  # a setting names the argument alone
            written: Node | None = self.root
            for part in component:
                written = written.entry(str(part)) if written is not None else None
            kind = _text(written) or _text(written.entry("kind") if written is not None else None)
        entry = self.catalogue.find(field.group, kind or "")
        parameter = entry.parameter(str(argument[0])) if entry is not None else None
        fragment: Mapping[str, Any] = inner_type(parameter.type, argument[1:]) if parameter is not None else {}
        return any(option.get("format") == "path" for option in options(dict(fragment)))


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _sets_fields(place: Path) -> bool:
    """Whether the keys of the mapping at a place are paths of fields."""
    if place in (("ablation", "grid"), ("ablation", "zip"), ("search", "space")):
        return True
    return len(place) == 3 and place[:2] in (("ablation", "features"), ("ablation", "exclude"))
