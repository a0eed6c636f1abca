"""A valid spec in; the same with all that it leaves out and includes written in, and each value's origin, out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from craftc.compiler.analyse import Analysis
from craftc.compiler.checking.rules.data_kinds import gives_text
from craftc.compiler.composing.relative_paths import absolute_paths
from craftc.compiler.language.handed_on import is_handed
from craftc.compiler.language.spec_places import component_field
from craftc.compiler.language.taken_out import put_back
from craftc.compiler.reading.document import Node
from craftc.compiler.reading.tree import copy_tree, set_path
from craftc.schemas.catalogue import ARGS, NESTED, Catalogue
from craftc.schemas.diagnostic import Path, Range, parse_path
from craftc.schemas.spec import Experiment, Spec
from craftc.schemas.terms import TERMS

_FOLLOWED = (("extends",), ("search", "use"))
"""What names files, whose contents stand in its place."""


@dataclass(frozen=True)
class Item:
    """A value, or with `children` a mapping or list of items, in order; `place` is where it is written, or a default.

    `is_left_out`: a default that may not be written, because the spec sets it from elsewhere.
    """

    value: Any = None
    place: Range | None = None
    variables: tuple[str, ...] = ()
    is_left_out: bool = False
    children: "dict[str, Item] | list[Item] | None" = None
    unset: tuple[str, ...] = ()

    @property
    def is_written(self) -> bool:
        """Whether any of it is written, and not left out."""
        if self.children is None:
            return not self.is_left_out
        inner = self.children.values() if isinstance(self.children, dict) else self.children
        return any(child.is_written for child in inner)


@dataclass(frozen=True)
class ResolvedSpec:
    """`files` are the files that were included, each with the place that names it."""

    filename: str
    root: Item
    files: Mapping[str, Range] = field(default_factory=dict)


def resolved_spec(analysis: Analysis) -> ResolvedSpec:
    """The complete form of a valid spec. Paths of data are absolute, so that it means the same from any folder
    from which the user's own code is found."""
    assert analysis.base is not None
    assert analysis.document is not None
    document, spec = analysis.document, analysis.base.spec
    tree = copy_tree(analysis.base.tree)
    # Variants count the items of a list as they are written.
    put_back(tree, analysis.base.written)
    for place, path in absolute_paths(document, analysis.base.catalogue).items():
        set_path(tree, place, path)
    builder = _Builder(spec, analysis.base.catalogue, frozenset(_factors(spec)))
    return ResolvedSpec(document.filename, builder.item(tree, document.root, ()), document.included)


def _factors(spec: Experiment) -> Iterator[Path]:
    """Every place that an ablation or a search sets."""
    ablation = spec.ablation
    paths = [*ablation.grid, *ablation.zip, *(path for settings in ablation.features.values() for path in settings)]
    yield from map(parse_path, paths)
    if spec.search is not None:
        yield from map(parse_path, spec.search.space)


class _Builder:
    def __init__(self, spec: Experiment, catalogue: Catalogue, factors: frozenset[Path]) -> None:
        self.spec = spec
        self.catalogue = catalogue
        self.factors = factors

    def item(self, value: Any, node: Node | None, path: Path) -> Item:
        if isinstance(value, dict) and value and not _is_setting(path):
            return self._mapping(value, node, path)
        if isinstance(value, list) and any(isinstance(entry, dict) for entry in value) and not _is_setting(path):
            # A number alone stands for a list of one phase.
            written = [] if node is None else node.value if isinstance(node.value, list) else [node]
            nodes = [*written, *[None] * len(value)]
            return Item(children=[self.item(entry, nodes[i], (*path, i)) for i, entry in enumerate(value)])
        if path[:2] == ("search", "space") and isinstance(value, dict):
            value = {form: given for form, given in value.items() if given is not None}
        if node is None:
            return Item(value, is_left_out=self._is_set_elsewhere(path))
        end = node.start if isinstance(node.value, list | dict) else node.end
        return Item(value, Range(filename=node.filename, start=node.start, end=end), node.variables)

    def _mapping(self, value: dict[str, Any], node: Node | None, path: Path) -> Item:
        children: dict[str, Item] = {}
        unset: list[str] = []
        for key, inner in self._by_position(value, node).items():
            place = (*path, key)
            if place in _FOLLOWED:
                continue
            written = node.entry(key) if node is not None else None
            if inner is None or (written is None and self._is_unset(place)):
                unset.append(key)
                continue
            if written is None and node is not None and isinstance(node.value, str) and key == "kind":
                written = node  # a component by its name alone
            elif written is None and node is not None and isinstance(node.value, int | float) and key == "value":
                written = node
            children[key] = self.item(inner, written, place)
        return Item(children=children, unset=tuple(unset))

    def _by_position(self, value: dict[str, Any], node: Node | None) -> dict[str, Any]:
        """A component with its arguments by position as they were written, since factors may name their places."""
        entry = self.catalogue.find(NESTED, str(value.get("kind")))
        args = None if node is None or entry is None or ARGS in value else node.entry(ARGS)
        if args is None or entry is None or not isinstance(args.value, list):
            return value
        names = entry.by_position[: len(args.value)]
        rest = {key: inner for key, inner in value.items() if key not in (*names, "kind")}
        return {"kind": value["kind"], ARGS: [value[name] for name in names], **rest}

    def _is_unset(self, path: Path) -> bool:
        """What would mean something else, or nothing, if its default were written."""
        spec = self.spec
        if path == ("ablation", "design"):
            return not spec.ablation.features
        if not isinstance(spec, Spec):
            return False
        if path == ("data", "splits", "stratify"):
            return gives_text(spec.data.source.kind, self.catalogue)
        if path == ("training", "values"):
            return not spec.training.values
        return path == ("evaluation", "select") or (path == TERMS and not spec.objective.terms)

    def _is_set_elsewhere(self, path: Path) -> bool:
        """Whether a default, once written, would stand in the way of what the spec or one of its variants sets."""
        if any(len(factor) > len(path) and factor[: len(path)] == path for factor in self.factors):
            return True
        parent, name = path[:-1], str(path[-1])
        if component_field(parent) is None or name == "kind":
            return False
        if (*parent, "kind") in self.factors:
            return True
        if not isinstance(self.spec, Spec):
            return False
        return is_handed(name, parent) and (
            getattr(self.spec.regularization, name) is not None or ("regularization", name) in self.factors
        )


def _is_setting(path: Path) -> bool:
    """Whether a value stands for a field elsewhere, so that it is shown on one line."""
    if path[:2] in (("ablation", "grid"), ("ablation", "zip"), ("ablation", "exclude"), ("search", "space")):
        return len(path) == 3
    return path[:2] == ("ablation", "features") and len(path) == 4
