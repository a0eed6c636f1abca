"""A tree and a spec that note what is read of them, so that what was computed from it can be used again wherever all
that was read is the same."""

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any, cast

from craftc.schemas.diagnostic import Path
from craftc.schemas.section import Section
from craftc.schemas.spec import SECTIONS, Ablation, Spec

Read = tuple[Path, bool]
"""A place, and whether all that stands there was read; else only that there is a mapping, or anything at all."""
Reads = set[Read]


class WatchedTree(dict[str, Any]):
    """A mapping of a tree. Mappings in it are watched too; a list is read as a whole."""

    # It is a dict, since rules ask for that; what it holds as one is nothing, so that none of it is read unnoticed.
    __slots__ = ("_path", "_reads", "_tree")

    def __init__(self, tree: dict[str, Any], reads: Reads, path: Path = ()) -> None:
        self._tree, self._reads, self._path = tree, reads, path

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self._tree:
            self._reads.add(((*self._path, key), False))
            return default
        return self[key]

    def __getitem__(self, key: str) -> Any:
        path = (*self._path, key)
        self._reads.add((path, not isinstance(self._tree.get(key), dict)))
        value = self._tree[key]
        return WatchedTree(value, self._reads, path) if isinstance(value, dict) else value

    def __contains__(self, key: object) -> bool:
        self._reads.add(((*self._path, cast("str", key)), False))
        return key in self._tree

    def whole(self) -> dict[str, Any]:
        """The mapping itself; not to be changed."""
        self._reads.add((self._path, True))
        return self._tree

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole())

    def __len__(self) -> int:
        return len(self.whole())

    def __eq__(self, other: object) -> bool:
        return self.whole() == (other.whole() if isinstance(other, WatchedTree) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __or__(self, other: Any) -> Any:
        return self.whole() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.whole()

    __hash__ = None

    def __reduce__(self) -> Any:
        return dict, (self.whole(),)

    def __repr__(self) -> str:
        return repr(self.whole())

    def copy(self) -> dict[str, Any]:
        return self.whole().copy()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        return self.whole().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return self.whole().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        return self.whole().items()


def plain(tree: dict[str, Any]) -> dict[str, Any]:
    """A mapping of a tree, watched or not, as what may be handed on but not changed."""
    return tree.whole() if isinstance(tree, WatchedTree) else tree


def watch_spec(base: Spec, section: Callable[[str], Section], reads: Reads) -> Spec:
    """A spec that is read like any other. `section` gives one of `SECTIONS`; the base gives the rest, no ablation."""
    return cast("Spec", _WatchedSpec(base, section, reads))


class _WatchedSpec:
    def __init__(self, base: Spec, section: Callable[[str], Section], reads: Reads) -> None:
        self._base, self._section, self._reads = base, section, reads

    def __getattr__(self, name: str) -> Any:
        if name in SECTIONS:
            return _WatchedSection(self._section(name), name, self._reads)
        if name == "ablation":
            return Ablation()
        if name in Spec.fields:
            return getattr(self._base, name)
        raise AttributeError(name)


class _WatchedSection:
    def __init__(self, section: Section, name: str, reads: Reads) -> None:
        self._section, self._name, self._reads = section, name, reads

    def __getattr__(self, name: str) -> Any:
        # What is no field, such as `args` and `given`, may come from anywhere in the section.
        is_field = name in self._section.fields
        self._reads.add(((self._name, name) if is_field else (self._name,), True))
        return getattr(self._section, name)
