"""Search paths -> the definitions in Python files, read without importing anything."""

from __future__ import annotations

import importlib.util
import sys
import tokenize
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from griffe import Alias, Module, Object

_LONGEST_IMPORT_CHAIN = 50


class SourceError(Exception):
    """A module's file was found but is not Python. The message says where."""


class SourceIndex:
    """Modules by name, each parsed when first asked for.

    Args:
        search_paths: Folders that are searched before `sys.path`, as in PYTHONPATH.
    """

    def __init__(self, search_paths: Sequence[Path] = ()) -> None:
        self._search_paths = [*search_paths, *(Path(entry) for entry in sys.path)]
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name; None where there is no source. Raises SourceError."""
        if name not in self._modules:
            file = self._find_file(name)
            self._modules[name] = None if file is None else _parse(name, file)
        return self._modules[name]

    def resolve(self, module: Module, name: str) -> str:
        """The absolute dotted path that a dotted name has inside a module; a name nobody defines is a builtin."""
        first, _, rest = name.partition(".")
        member = module.members.get(first)
        if member is None:
            starred = self._starred(module, first)
            path = f"{starred.path}.{first}" if starred else f"builtins.{first}"
        else:
            path = _import_target(member) or f"{module.path}.{first}"
        return f"{path}.{rest}" if rest else path

    def definition(self, path: str, stop_at: Container[str] = ()) -> tuple[str, Object | None]:
        """Follow imports from an absolute dotted path to where the object is defined.

        Returns the last path reached and the object there; None where the trail leaves readable source, or the path
        is one of `stop_at`.
        """
        for _ in range(_LONGEST_IMPORT_CHAIN):
            if path in stop_at:
                return path, None
            found = self._look_up(path)
            if found is None or not isinstance(found, str):
                return path, found
            path = found
        return path, None

    def _look_up(self, path: str) -> Object | str | None:
        """The object at a path, or the path that an import on the way leads on to."""
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return self._member(module, parts[length:])
        return None

    def _member(self, module: Module, names: list[str]) -> Object | str | None:
        current: Object = module
        for position, name in enumerate(names):
            member = current.members.get(name)
            rest = names[position + 1 :]
            if member is None and current is module:
                starred = self._starred(module, name)
                return ".".join([starred.path, *names]) if starred else None
            if member is None:
                return None
            if target := _import_target(member):
                return ".".join([target, *rest])
            current = cast("Object", member)
        return current

    def _starred(self, module: Module, name: str, seen: frozenset[str] = frozenset()) -> Module | None:
        """The module that defines or imports a name which a `from ... import *` brings in, at any remove."""
        seen |= {module.path}
        for member in module.members.values():
            target = _import_target(member)
            if target is None or target in seen or not member.name.endswith("/*"):
                continue
            source = self.module(target)
            if source is not None:
                found = source if name in source.members else self._starred(source, name, seen)
                if found is not None:
                    return found
        return None

    def _find_file(self, name: str) -> Path | None:
        parts = name.split(".")
        for folders in (self._search_paths, _installed_folders(parts[0])):
            file = _walk(parts, folders)
            if file is not None:
                return file
        return None


def _import_target(member: Object | Alias) -> str | None:
    """What an import leads to, as an absolute dotted path; None for what is defined on the spot."""
    return cast("Alias", member).target_path if member.is_alias else None


def _walk(parts: list[str], folders: Sequence[Path]) -> Path | None:
    """The file of a module below the first of the folders that knows its top package."""
    for folder in folders:
        base = folder.joinpath(*parts)
        if (package := base / "__init__.py").is_file():
            return package
        if (file := base.with_name(f"{base.name}.py")).is_file():
            return file
    return None


def _installed_folders(top: str) -> list[Path]:
    """Where an editable install keeps a package that no folder of `sys.path` holds. Imports nothing."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return [Path(place).parent for place in spec.submodule_search_locations or _origins(spec.origin)]


def _origins(origin: str | None) -> Iterator[str]:
    if origin and origin.endswith(".py"):
        yield origin


def _parse(name: str, file: Path) -> Module:
    import griffe

    # Empty parents, because griffe makes relative imports absolute by walking up.
    parent: Module | None = None
    *packages, last = name.split(".")
    for package in packages:
        parent = griffe.Module(package, filepath=file, parent=parent)
    try:
        with tokenize.open(file) as stream:
            return griffe.visit(last, file, stream.read(), parent=parent)
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise SourceError(f"{file} cannot be read as Python: {error}") from error
