"""Copies plain trees of dict and list, and looks up, sets and deletes their values by path."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from craftc.schemas.diagnostic import Path


def copy_tree(tree: Any) -> Any:
    """A copy that shares no dict or list with the tree; many times faster than copy.deepcopy."""
    # A call for every scalar would take most of the time: every variant of a spec copies all of it three times.
    if isinstance(tree, dict):
        return {k: copy_tree(v) if isinstance(v, _COLLECTIONS) else v for k, v in tree.items()}
    if isinstance(tree, list):
        return [copy_tree(item) if isinstance(item, _COLLECTIONS) else item for item in tree]
    return tree


def count_values(tree: Any) -> int:
    """How many values a tree holds, itself and every mapping and list among them."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(count_values, inner))


def hashable(tree: Any) -> Hashable:
    """What is equal for two trees where they are, and can be looked up."""
    if isinstance(tree, Mapping):
        return frozenset((key, hashable(value)) for key, value in tree.items())
    return tuple(map(hashable, tree)) if isinstance(tree, list | tuple) else tree


_COLLECTIONS = (dict, list)


def look_up(tree: Any, path: Path) -> Any:
    """The value at a path; a key of digits is found by its number. Raises KeyError where there is none."""
    for part in path:
        if isinstance(tree, Mapping) and str(part) in tree:
            tree = tree[str(part)]
        elif isinstance(tree, list | tuple) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            raise KeyError(path)
    return tree


def paths_to(tree: Any, name: str) -> list[Path]:
    """The paths of all keys of that name, through mappings alone."""
    found: list[Path] = []
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        found += [(key,)] * (key == name) + [(key, *path) for path in paths_to(value, name)]
    return found


def set_path(tree: Any, path: Path, value: Any) -> bool:
    """Set the value at a path, making mappings on the way; False where the path leads through something else."""
    *way, last = path
    for part in way:
        if isinstance(tree, dict):
            tree = tree.setdefault(str(part), {})
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return False
    if isinstance(tree, dict):
        tree[str(last)] = value
    elif isinstance(tree, list) and isinstance(last, int) and last < len(tree):
        tree[last] = value
    else:
        return False
    return True


def delete_path(tree: Any, path: Path) -> bool:
    """Take away the value at a path, where there is one; True where that moved the items of a list."""
    try:
        parent = look_up(tree, path[:-1])
    except KeyError:
        return False
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
    elif isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent):
        del parent[path[-1]]
        return True
    return False


class Touching:
    """Asks of many places whether they touch one of a fixed set; `touch` for each pair would be quadratic."""

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = frozenset(places)
        self._above = frozenset(place[:length] for place in self._places for length in range(len(place)))

    def __contains__(self, path: object) -> bool:
        assert isinstance(path, tuple)
        return path in self._above or any(path[:length] in self._places for length in range(len(path) + 1))


def touch(one: Path, other: Path) -> bool:
    """Whether one of two places holds the other, or they are the same."""
    return one[: len(other)] == other or other[: len(one)] == one


def written_at(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    """The mapping at a path of a tree; empty where there is none."""
    value: Any = tree
    for part in path:
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, dict) else {}
