"""The variants of an ablation to the parts that they are put together from, each made and validated once.

A *part* is what the settings of one *cluster* make of the spec as written: the settings that touch one place, or one
component and its kind. Whether a value fits depends on nothing outside its cluster, so a variant fits where all of its
parts do, and its trees are the base's with the differences of its parts. `docs/decisions/0021-scale.md` says more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.checking.validate import Validated
from craftc.compiler.reading.difference import Difference, differences, put
from craftc.compiler.variants.clusters import clusters
from craftc.compiler.variants.variant import Setting, Variant
from craftc.compiler.variants.watched import Reads, WatchedTree, watch_spec
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path
from craftc.schemas.section import Section, read_section
from craftc.schemas.spec import SECTIONS, Spec

MAX_UNFIT = 200
"""Parts that do not fit, after which no more are made: so many mistakes end the expansion."""


@dataclass(frozen=True)
class Built:
    """A variant before the rules: its tree as written, components spelled out, and what validation made of it."""

    written: dict[str, Any]
    validated: Validated
    unsettable: tuple[Any, ...] = ()

    @property
    def trees(self) -> tuple[dict[str, Any], ...]:
        """As written, as validated, and complete; of the sections in which variants differ."""
        trees = (self.written, self.validated.filled, self.validated.tree)
        return tuple({name: tree[name] for name in SECTIONS if name in tree} for tree in trees)


@dataclass(frozen=True)
class Part:
    """What settings of one cluster change in each of the three trees. `number` is unique in the cluster; 0 is none."""

    number: int
    changes: tuple[tuple[Difference, ...], ...]


Build = Callable[[Variant], Built]
Revise = Callable[[Built, Variant], Built | None]
Key = tuple[int, tuple[int, ...]]


class Parts:
    """All parts of the variants of a design, and what each variant has of them."""

    def __init__(self, base: Checked, variants: Sequence[Variant], root: Built, build: Build, revise: Revise) -> None:
        """`root` is the spec as written, whose values have no mistake; `build` resolves and validates a variant by
        itself, and `revise` does it sooner, where it can."""
        self.base = base
        self._build, self._revise = build, revise
        self._variants = variants  # also keeps the settings alive, which are told apart by their ids
        self.root = root
        self.root_trees = self.root.trees
        settings = {id(setting): setting for variant in variants for setting in variant.settings}
        self._cluster_of = clusters({setting.path: setting.target for setting in settings.values()})
        while merged := _overlapping(places := self._make()):
            self._cluster_of = {path: merged.get(index, index) for path, index in self._cluster_of.items()}
        # The clusters that change a place, and those that change something within it.
        self._changing: dict[Path, set[int]] = {}
        self._changing_within: dict[Path, set[int]] = {}
        for cluster, changed in enumerate(places):
            for _, place in changed:
                self._changing.setdefault(place, set()).add(cluster)
                for length in range(len(place)):
                    self._changing_within.setdefault(place[:length], set()).add(cluster)
        self._dependents: dict[tuple[Path, bool], frozenset[int]] = {}
        # Of the root, and of the variant that was asked for last: rule after rule asks for the same one.
        self._sections: dict[tuple[str, bool], tuple[Any, Section]] = {}
        self._trees: dict[int, tuple[tuple[int, ...], dict[str, Any]]] = {}

    def _make(self) -> list[set[tuple[int, Path]]]:
        """Make the parts of all variants; of each cluster, the places that its parts change, and in which tree."""
        self.num_clusters = max(self._cluster_of.values(), default=-1) + 1
        self._parts: dict[Key, Part | None] = {}
        self._by_number: list[list[Part]] = [[Part(0, ((), (), ()))] for _ in range(self.num_clusters)]
        num_unfit = 0
        for variant in self._variants:
            for cluster, settings in self._grouped(variant).items():
                key = cluster, tuple(map(id, settings))
                if key not in self._parts:
                    alone = Variant(variant.name, tuple(settings))
                    part = None if num_unfit > MAX_UNFIT else self._part(cluster, alone)
                    num_unfit += part is None
                    self._parts[key] = part
        return [
            {(tree, place) for part in parts for tree, changes in enumerate(part.changes) for place, _ in changes}
            for parts in self._by_number
        ]

    def _part(self, cluster: int, alone: Variant) -> Part | None:
        """The part, or None where the settings do not fit, or bring about anything else that is to be told."""
        built = self._revise(self.root, alone) or self._build(alone)
        if built.unsettable or built.validated.spec is None:
            return None
        if built.validated.problems != self.root.validated.problems:
            return None
        changes = tuple(
            tuple(differences(before, after)) for before, after in zip(self.root_trees, built.trees, strict=True)
        )
        part = Part(len(self._by_number[cluster]), changes)
        self._by_number[cluster].append(part)
        return part

    def _grouped(self, variant: Variant) -> dict[int, list[Setting]]:
        groups: dict[int, list[Setting]] = {}
        for setting in variant.settings:
            groups.setdefault(self._cluster_of[setting.path], []).append(setting)
        return groups

    def assemble(self, variant: Variant) -> "Assembled | None":
        """The variant from its parts; None where it has to be made by itself."""
        numbers = [0] * self.num_clusters
        for cluster, settings in self._grouped(variant).items():
            part = self._parts[cluster, tuple(map(id, settings))]
            if part is None:
                return None
            numbers[cluster] = part.number
        return Assembled(self, tuple(numbers))

    def tree(self, numbers: tuple[int, ...], which: int) -> dict[str, Any]:
        """One of the three trees of a variant, shared with others as far as can be."""
        if which not in self._trees or self._trees[which][0] != numbers:
            parts = (of_cluster[number] for of_cluster, number in zip(self._by_number, numbers, strict=True) if number)
            changes = [change for part in parts for change in part.changes[which]]
            tree = put(self.root_trees[which], changes) if changes else self.root_trees[which]
            self._trees[which] = numbers, tree
        return self._trees[which][1]

    def section(self, name: str, value: Any) -> Section:
        """A section of its values. What many variants share is made once."""
        key = name, value is self.root_trees[1].get(name)
        if key not in self._sections or self._sections[key][0] is not value:
            self._sections[key] = value, read_section(SECTIONS[name], value)
        return self._sections[key][1]

    def _reaching(self, path: Path, whole: bool) -> Iterator[int]:
        """The clusters that change a place, or what holds it, or with `whole` what is in it."""
        for length in range(len(path) + 1):
            yield from self._changing.get(path[:length], ())
        if whole:
            yield from self._changing_within.get(path, ())

    def dependents(self, reads: Iterable[tuple[Path, bool]]) -> tuple[int, ...]:
        """The clusters that can change what was read."""
        found: set[int] = set()
        for read in reads:
            if read not in self._dependents:
                self._dependents[read] = frozenset(self._reaching(*read))
            found |= self._dependents[read]
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Assembled:
    """A variant as the numbers of its parts, one for each cluster. The rest of what `Checked` has is made when read."""

    parts: Parts = field(repr=False)
    numbers: tuple[int, ...]

    @property
    def catalogue(self) -> Catalogue:
        """Of the spec."""
        return self.parts.base.catalogue

    @property
    def tree(self) -> dict[str, Any]:
        """The sections in which variants differ, complete. Not to be changed."""
        return self.parts.tree(self.numbers, 2)

    @property
    def spec(self) -> Spec:
        """The variant's own spec."""
        sections = self.parts.tree(self.numbers, 1)
        root = self.parts.root.validated.spec
        assert root is not None
        return root.changed(**{name: self.parts.section(name, value) for name, value in sections.items()})

    def watched(self, reads: Reads) -> Checked:
        """The variant, with all that is read of it noted."""
        return cast("Checked", _Watched(self, reads))


class _Watched:
    """A variant that is read like `Checked`. Its trees are made when something of them is read."""

    def __init__(self, variant: Assembled, reads: Reads) -> None:
        self._variant, self._reads = variant, reads
        self.catalogue = variant.catalogue

    @cached_property
    def spec(self) -> Spec:
        return watch_spec(self._variant.parts.base.spec, self._section, self._reads)

    @cached_property
    def tree(self) -> WatchedTree:
        return WatchedTree(self._variant.tree, self._reads)

    @cached_property
    def written(self) -> WatchedTree:
        return WatchedTree(self._variant.parts.tree(self._variant.numbers, 0), self._reads)

    @cached_property
    def _filled(self) -> dict[str, Any]:
        return self._variant.parts.tree(self._variant.numbers, 1)

    def _section(self, name: str) -> Section:
        parts = self._variant.parts
        if name in self._filled:
            return parts.section(name, self._filled[name])
        section: Section = getattr(parts.root.validated.spec, name)
        return section


def _overlapping(places: Sequence[set[tuple[int, Path]]]) -> dict[int, int]:
    """Clusters that change one place, or a place within that of another, to the number that all of them get."""
    owner: dict[tuple[int, Path], int] = {}
    same: dict[int, int] = {}

    def first(cluster: int) -> int:
        while cluster in same:
            cluster = same[cluster]
        return cluster

    def join(one: int, other: int) -> None:
        low, high = sorted((first(one), first(other)))
        if low != high:
            same[high] = low

    for cluster, of_cluster in enumerate(places):
        for changed in of_cluster:
            join(owner.setdefault(changed, cluster), cluster)
    for (tree, place), cluster in owner.items():
        for length in range(len(place)):
            if (tree, place[:length]) in owner:
                join(owner[tree, place[:length]], cluster)
    if not same:
        return {}
    kept = {old: new for new, old in enumerate(sorted({first(cluster) for cluster in range(len(places))}))}
    return {cluster: kept[first(cluster)] for cluster in range(len(places))}
