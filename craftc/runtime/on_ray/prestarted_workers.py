"""Tune's jobs in the worker processes that a private Ray has started already.

Tune gives each of its processes variables of their environment, and for such a process Ray starts two, one after the
other, while those that wait idle are of no use: about a second of CPU time for each. What a private Ray starts has the
driver's environment anyway, see ray_environment.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from craftc.fence import fence, require

NAMES = ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE")
"""Of Tune's lists of the variables."""


@fence("ray.prestarted_workers", instead="Ray starts two processes for each that runs jobs")
def can_prestart() -> bool:
    """Whether Tune has lists of variables that can be emptied. Reads its source, since it takes a second to import."""
    file = Path(ray.__file__).parent / "tune" / "execution" / "class_cache.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    lists = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in _names(node.targets)}
    read = {name.id for cls in tree.body if isinstance(cls, ast.ClassDef) for name in _names(ast.walk(cls))}
    require(set(NAMES) <= lists & read, f"{file.name} has no {' and '.join(NAMES)} that it reads")
    return True


def _names(nodes: "Iterator[ast.AST] | list[ast.expr]") -> Iterator[ast.Name]:
    return (node for node in nodes if isinstance(node, ast.Name))


@contextmanager
def prestarted_workers() -> Iterator[None]:
    """Have Tune run its jobs in the worker processes that a private Ray has started by then, where it can be had to."""
    if not can_prestart():
        yield
        return
    from ray.tune.execution import class_cache

    before = {name: getattr(class_cache, name) for name in NAMES}
    for name, value in before.items():
        setattr(class_cache, name, type(value)())
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(class_cache, name, value)
