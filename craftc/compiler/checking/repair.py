"""A tree and its mistakes to a tree without them, so that what else is wrong can still be found."""

from typing import Any

from craftc.compiler.language.spec_places import required_paths
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import copy_tree, delete_path, set_path
from craftc.schemas.diagnostic import Path

_PLACEHOLDERS: dict[Path, Any] = {
    ("craftc",): 1,
    ("name",): "unnamed",
    ("data",): {"source": {"kind": ""}},
    ("data", "source"): {"kind": ""},
    ("data", "splits", "train"): 0.6,
    ("model",): {"kind": ""},
    ("objective",): {"kind": ""},
    ("program",): {"kind": ""},
    ("training",): {"epochs": 1, "batch_size": 1, "optimizer": {"kind": ""}},
    ("training", "epochs"): 1,
    ("training", "batch_size"): 1,
    ("training", "optimizer"): {"kind": ""},
    ("search", "optimize"): {"metric": "train/objective"},
    ("search", "trials"): 1,
}


def repair_all(tree: dict[str, Any], problems: list[Problem]) -> list[Path]:
    """Make every place valid, the last items of lists first, so that the others stay where they are."""

    def numbers(problem: Problem) -> list[int]:
        return [part if isinstance(part, int) else -1 for part in problem.path]

    return [_repair(tree, problem) for problem in sorted(problems, key=numbers, reverse=True)]


def _repair(tree: dict[str, Any], problem: Problem) -> Path:
    """Make the place of a problem valid; the path that can be trusted no more."""
    path = problem.path
    if problem.code in ("unknown-key", "moved-key", "not-of-a-program"):
        delete_path(tree, path)
        return path
    missing = problem.code == "missing-key"
    while path:
        if path in _PLACEHOLDERS:
            set_path(tree, path, copy_tree(_PLACEHOLDERS[path]))
            return path
        if not (missing and path == problem.path):
            if delete_path(tree, path):
                return path[:-1]  # what follows in the list has moved
            if path not in required_paths():
                return path
        path = path[:-1]
    return path
