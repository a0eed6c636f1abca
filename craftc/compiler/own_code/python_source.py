"""Reads the definitions in Python files without importing anything."""

from __future__ import annotations

import re
import tokenize
import warnings
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from craftc.compiler.own_code.import_path import is_in_library, read_path
from craftc.compiler.own_code.module_files import find_module, is_importable, modules_in, stamp
from craftc.schemas.diagnostic import Position, Range

if TYPE_CHECKING:
    from griffe import Alias, Class, Function, Module, Object

_LONGEST_IMPORT_CHAIN = 50
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_CONSTANTS = ("None", "True", "False", "Ellipsis")


class SourceError(Exception):
    """A module's file was found but is not Python. `line` and `column` of the `file` say where."""

    def __init__(self, error: Exception, file: Path) -> None:
        self.message = _reason(error)
        super().__init__(f"{file} cannot be read as Python: {self.message}")
        self.file = file
        # Python counts columns from 1 too, but may know neither, and say 0 of an empty line.
        self.line = max(1, getattr(error, "lineno", None) or 1)
        self.column = max(1, getattr(error, "offset", None) or 1)


class SourceIndex:
    """Modules by name, each parsed when first asked for.

    Args:
        search_paths: Folders that are searched before what is installed, and after Python's own library.
        shown: What a file is called in a message.
    """

    def __init__(self, search_paths: Sequence[Path] = (), shown: Callable[[Path], str] = str) -> None:
        self.search_paths = tuple(search_paths)
        self._folders = read_path(search_paths)
        self.shown = shown
        self._modules: dict[str, Module | None] = {}
        self._submodules: dict[str, list[str]] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name; None where there is no source. Raises SourceError."""
        if name not in self._modules:
            file = find_module(name, self._folders).file
            self._modules[name] = None if file is None else _parse(name, file, stamp(file))
        return self._modules[name]

    def is_elsewhere(self, name: str) -> bool:
        """Whether a module is there, but not written in Python."""
        return (
            is_importable(name.partition(".")[0]) and find_module(name.partition(".")[0], self._folders).folder is None
        )

    def hidden(self, name: str) -> Path | None:
        """The file of a module in the search paths that is never imported: Python's own library has its first name."""
        own = find_module(name, self.search_paths)
        return own.file if own.folder in self.search_paths and is_in_library(name.partition(".")[0]) else None

    def names_in(self, module: Module, seen: frozenset[str] = frozenset()) -> list[str]:
        """The public names of a module, with those that `from ... import *` brings in."""
        names = [name for name in module.members if name.isidentifier() and not name.startswith("_")]
        for member in module.members.values():
            target = _import_target(member)
            if target is not None and member.name.endswith("/*") and target not in seen:
                source = self.module(target)
                names += self.names_in(source, seen | {module.path, target}) if source is not None else []
        return names

    def submodules(self, package: str) -> list[str]:
        """The names of the modules in a package, whose name ends with a dot; of the top ones where it is empty."""
        if package not in self._submodules:
            self._submodules[package] = modules_in(package.rstrip("."), self._folders)
        return self._submodules[package]

    def place(self, file: Path, line: int, column: int = 1, width: int = 0) -> Range:
        """A stretch of one line; `line` and `column` count from 1."""
        return Range(
            filename=self.shown(file),
            start=Position(line=line, column=column),
            end=Position(line=line, column=column + width),
        )

    def name_of(self, found: Class | Function) -> Range | None:
        """Where the name of a class or function stands in its definition."""
        file = found.filepath
        if not isinstance(file, Path) or found.lineno is None:
            return None
        for number, line in enumerate(lines_of(file)[found.lineno - 1 : found.endlineno], found.lineno):
            # A decorator may come first.
            words = line.split("(")[0].split(":")[0].split()
            if words[:1] in (["class"], ["def"], ["async"]) and found.name in words:
                return self.place(file, number, line.index(found.name, line.index(words[0]) + 3) + 1, len(found.name))
        return self.place(file, found.lineno)

    def resolve(self, module: Module, name: str) -> str:
        """The absolute dotted path that a dotted name has inside a module; an undefined name is a builtin."""
        first, _, rest = name.partition(".")
        member = module.members.get(first)
        if member is None:
            starred = self._starred(module, first)
            path = f"{starred.path}.{first}" if starred else f"builtins.{first}"
        else:
            path = _import_target(member) or f"{module.path}.{first}"
        return f"{path}.{rest}" if rest else path

    def definition(self, path: str, stop_at: Container[str] = ()) -> tuple[str, Object | None]:
        """Follow imports, and other names of a thing, from an absolute dotted path to where the object is defined.

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
            if (alias := self._alias(current, module)) is not None:
                return ".".join([alias, *rest])
        return current

    def _alias(self, found: Object, module: Module) -> str | None:
        """The path that a name of a module was given another name for, `KAN = MultKAN`; None of any other value."""
        if not found.is_attribute or found.parent is not module:
            return None
        name = str(getattr(found, "value", None) or "")
        if not _DOTTED.fullmatch(name) or name in _CONSTANTS:
            return None
        path = self.resolve(module, name)
        return None if path in (f"{module.path}.{found.name}", f"builtins.{name}") else path

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


def _import_target(member: Object | Alias) -> str | None:
    """What an import leads to, as an absolute dotted path; None for what is defined on the spot."""
    return cast("Alias", member).target_path if member.is_alias else None


@lru_cache(maxsize=4096)
def _lines(file: Path, state: tuple[int, int]) -> tuple[str, ...]:
    with tokenize.open(file) as stream:
        return tuple(stream.read().splitlines())


def lines_of(file: Path) -> tuple[str, ...]:
    """The lines of a Python file. Raises SourceError."""
    try:
        return _lines(file, stamp(file))
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise SourceError(error, file) from error


@lru_cache(maxsize=4096)
def _parse(name: str, file: Path, state: tuple[int, int]) -> Module:
    """The module in a file; read anew where the file has changed since it was last asked for."""
    import griffe

    # Empty parents, because griffe makes relative imports absolute by walking up.
    parent: Module | None = None
    *packages, last = name.split(".")
    for package in packages:
        parent = griffe.Module(package, filepath=file, parent=parent)
    try:
        with warnings.catch_warnings(), tokenize.open(file) as stream:
            warnings.simplefilter("ignore")  # of the author's escapes, which are not ours to tell
            return griffe.visit(last, file, stream.read(), parent=parent)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        raise SourceError(error, file) from error


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    if isinstance(error, RecursionError | MemoryError):
        return "nested too deeply"
    return getattr(error, "strerror", None) or str(error)
