"""Computes the digest of all source that decides what a user's own component does, without importing it.

The digest covers the module that defines it and whatever that imports, directly or through others, as far as it stands
in the import folders or other plain folders; of an installed package, the name and version of its distribution.
"""

import ast
import hashlib
import sys
import tokenize
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from craftc.compiler.own_code.import_path import read_path
from craftc.compiler.own_code.module_files import find_module, stamp

UNCOUNTED = {
    "craftc", "torch", "numpy", "scipy", "pandas", "sklearn", "torchmetrics", "PIL",
    "pydantic", "annotated_types", "typing_extensions",
}  # fmt: skip
"""What craftc itself needs. Its version counts for no trial, but where the component itself is one of its own."""


class CodeIdentity:
    """Digests of components by their kinds, each computed once. `folders` come before what is installed."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._own = folders
        self._folders = read_path(folders)
        self._known: dict[str, str] = {}

    def __call__(self, kind: str) -> str:
        """`sha256:` and a hash, the same wherever the project lies."""
        if kind not in self._known:
            total = hashlib.sha256()
            for name, identity in sorted(self._closure(kind.partition(":")[0]).items()):
                total.update(f"{name}\0{identity}\n".encode())
            self._known[kind] = f"sha256:{total.hexdigest()}"
        return self._known[kind]

    def _closure(self, component: str) -> dict[str, str]:
        """Every module that importing this one may run, with its file's hash; every distribution, with its version."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        waiting = [component]
        while waiting:
            module = waiting.pop()
            if module in seen:
                continue
            seen.add(module)
            top, *_ = parts = module.split(".")
            files = find_module(module, self._folders)
            if files.folder not in self._own:
                if module != component and (top in UNCOUNTED or top in sys.stdlib_module_names):
                    continue
                if files.folder is not None and (installed := _distribution(top, files.folder)) is not None:
                    name, found[name] = installed
                    continue
            waiting += [".".join(parts[:length]) for length in range(1, len(parts))]
            if files.file is None:
                continue
            try:
                state = stamp(files.file)
                found[module] = _digest(files.file, state)
                waiting += _imports(files.file, module, state)
            except OSError as error:
                found[module] = f"cannot be read: {error.strerror}"
        return found


@lru_cache(maxsize=4096)
def _digest(file: Path, state: tuple[int, int]) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@lru_cache(maxsize=4096)
def _imports(file: Path, module: str, state: tuple[int, int]) -> tuple[str, ...]:
    """The absolute names of what a file imports, in functions too; of `from a import b`, both `a` and `a.b`.

    A file that cannot be parsed imports nothing.
    """
    try:
        with warnings.catch_warnings(), tokenize.open(file) as stream:
            warnings.simplefilter("ignore")
            tree = ast.parse(stream.read())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _names(node, package)))


def _names(node: ast.AST, package: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        if source:
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names if alias.name != "*")


def _distribution(top: str, folder: Path) -> tuple[str, str] | None:
    """Name and version of what installed a top module into a folder; None where nothing did."""
    installed = _installed(folder)
    named = installed.get(_normal(top))
    if named is not None:
        return named
    return _owners(folder).get(top)


@lru_cache(maxsize=64)
def _installed(folder: Path) -> dict[str, tuple[str, str]]:
    """Every distribution in a folder, by its name. Of a version, what only says for which machine it was built is
    left out: the same trial has one identity on all of them."""
    found: dict[str, tuple[str, str]] = {}
    for info in sorted(folder.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        found[_normal(name)] = (f"{_normal(name)}==", version.partition("+")[0])
    return found


@lru_cache(maxsize=64)
def _owners(folder: Path) -> dict[str, tuple[str, str]]:
    """Every top module that a distribution brought into a folder, as its RECORD says; for those of other names."""
    found: dict[str, tuple[str, str]] = {}
    for info in sorted(folder.glob("*.dist-info")):
        name = _normal(info.name.partition("-")[0])
        record = info / "RECORD"
        for line in record.read_text(encoding="utf-8").splitlines() if record.is_file() else ():
            top = line.partition(",")[0].partition("/")[0].removesuffix(".py")
            if top.isidentifier():
                found.setdefault(top, _installed(folder)[name])
    return found


def _normal(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()
