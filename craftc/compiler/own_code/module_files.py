"""Finds the files that importing a module would run, as Python would find them."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.machinery import PathFinder
from os.path import isdir, isfile  # which call a path that cannot be looked at none; pathlib raises
from pathlib import Path
from typing import NamedTuple


class ModuleFiles(NamedTuple):
    """`packages` are the `__init__.py` on the way. `file` is None where there is no Python source, or no such module.

    `folder` is the one of the search path in which the top package stands; None where that is not known. `portions`
    are the folders of the package that the name is, if it is one.
    """

    file: Path | None
    packages: tuple[Path, ...] = ()
    folder: Path | None = None
    portions: tuple[Path, ...] = ()


def stamp(file: Path) -> tuple[int, int]:
    """What changes when a file does: its time in nanoseconds and its size. Raises OSError."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def find_module(name: str, folders: Sequence[Path]) -> ModuleFiles:
    """Find a module without importing anything, its packages included.

    The first folder with a package or module of the first name has it, as in Python: what of that name stands in later
    folders is not seen. Folders without `__init__.py` are packages only where no folder has a regular one.
    """
    parts = tuple(name.split("."))
    found = _walk(parts, folders)
    return found if found is not None else _walk(parts, _installed_folders(parts[0])) or ModuleFiles(None)


def _walk(parts: tuple[str, ...], folders: Sequence[Path]) -> ModuleFiles | None:
    """None where no folder knows the first name at all."""
    top: Path | None = None
    packages: list[Path] = []
    for depth, part in enumerate(parts):
        is_last = depth == len(parts) - 1
        portions: list[Path] = []
        for folder in folders:
            if isfile(package := folder / part / "__init__.py"):
                top = top or folder
                if is_last:
                    return ModuleFiles(package, tuple(packages), top, (package.parent,))
                packages.append(package)
                portions = [package.parent]
                break
            if isfile(file := folder / f"{part}.py"):
                return ModuleFiles(file if is_last else None, tuple(packages), top or folder)
            if isdir(folder / part):
                portions.append(folder / part)
        if not portions:
            return None if depth == 0 else ModuleFiles(None, tuple(packages), top)
        top = top or portions[0].parent
        folders = portions
    return None if top is None else ModuleFiles(None, tuple(packages), top, tuple(folders))


def modules_in(package: str, folders: Sequence[Path]) -> list[str]:
    """The names of the modules in a package, sorted; of the top ones where its name is empty."""
    places = find_module(package, folders).portions if package else folders
    names: set[str] = set()
    for place in places:
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue  # not all of sys.path needs to be there
        for entry in entries:
            name = entry.name.removesuffix(".py")
            if name.isidentifier() and not name.startswith("__") and (name != entry.name or entry.is_dir()):
                names.add(name)
    return sorted(names)


def is_importable(top: str) -> bool:
    """Whether Python knows a top module, in whatever form. Imports nothing."""
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


@lru_cache(maxsize=256)
def _installed_folders(top: str) -> tuple[Path, ...]:
    """Where an editable install keeps a package that no folder of `sys.path` holds. Imports nothing."""
    for finder in sys.meta_path:
        spec = None if finder is PathFinder else finder.find_spec(top, None)
        if spec is not None:
            origin = (spec.origin,) if spec.origin and spec.origin.endswith(".py") else ()
            return tuple(Path(place).parent for place in spec.submodule_search_locations or origin)
    return ()
