"""The paths that an ablation sets to clusters: whether a value fits depends on nothing outside its path's cluster."""

from collections.abc import Mapping

from craftc.compiler.reading.parse import MAX_DEPTH
from craftc.schemas.diagnostic import Path


def clusters(targets: Mapping[str, Path]) -> dict[str, int]:
    """Each path to the number of its cluster: paths of which one holds the other, or the kind beside it."""
    roots = {path: _root(target) for path, target in targets.items()}
    known = set(roots.values())
    outermost = {
        root: next(root[:length] for length in range(len(root) + 1) if root[:length] in known) for root in known
    }
    numbers = {root: number for number, root in enumerate(dict.fromkeys(outermost[r] for r in roots.values()))}
    return {path: numbers[outermost[root]] for path, root in roots.items()}


def _root(target: Path) -> Path:
    # What arguments a component takes depends on its kind. Splits are kept in the order in which they are set.
    if target[:2] == ("data", "splits"):
        return target[:2]
    if len(target) > MAX_DEPTH:  # which nothing can be set at
        return target[:MAX_DEPTH]
    return target[:-1] if target[-1] == "kind" else target
