"""Finds the folders in which the user's own code of a spec is looked for."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT_MARK = ".craftc_root"
"""Marks the copy of a project that was sent elsewhere, whose own mark may not have travelled."""

INCLUDE = "CRAFTC_INCLUDE"
"""The environment variable that lists folders outside of the project from which specs may include files."""

ROOT_MARKS = ("pyproject.toml", ".git", ROOT_MARK)

_LIBRARY = Path(os.__file__).parent
_ABOVE = _LIBRARY.parent


def project_root(spec: Path) -> Path:
    """The nearest folder above the spec with a pyproject.toml or a .git, else the spec's own."""
    folder = spec.resolve().parent
    marked = (parent for parent in (folder, *folder.parents) if any((parent / mark).exists() for mark in ROOT_MARKS))
    return next(marked, folder)


def readable_roots(spec: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders whose files a spec may include: its project, and those that CRAFTC_INCLUDE lists as PATH does.

    Where nothing marks the project, it is the current folder if the spec is in it, but never a whole home.
    """
    root = project_root(spec)
    here = Path.cwd().resolve()
    is_marked = any((root / mark).exists() for mark in ROOT_MARKS)
    if not is_marked and root.is_relative_to(here) and not Path.home().resolve().is_relative_to(here):
        root = here
    listed = environment.get(INCLUDE, "").split(os.pathsep)
    return (root, *(Path(os.path.realpath(folder)) for folder in listed if folder))


def import_folders(spec: Path) -> tuple[Path, ...]:
    """The project's root, its `src` where there is one, and the spec's folder; absolute, each once, in this order.

    They come before what is installed, and after Python's own library. The current folder is none of them:
    a spec means the same wherever craftc is called.
    """
    root = project_root(spec)
    source = (root / "src",) if (root / "src").is_dir() else ()
    return tuple(dict.fromkeys((root, *source, spec.resolve().parent)))


def search_path(own: Iterable[Path], entries: Sequence[str]) -> tuple[str, ...]:
    """The entries of an import path with these folders among them: after Python's own library, before the rest.

    The library goes first, because craftc and what it needs import parts of it late: a `statistics.py` that lies in a
    project would be taken for it.
    """
    library = [entry for entry in entries if _is_library(Path(entry))]
    return tuple(dict.fromkeys([*library, *map(str, own), *entries]))


def read_path(own: Iterable[Path]) -> tuple[Path, ...]:
    """Where source is looked for: `sys.path` with these folders, without the current one, which `-m` puts first."""
    entries = sys.path[1:] if sys.path[:1] in ([""], [os.getcwd()]) else sys.path
    return tuple(map(Path, search_path(own, entries)))


def is_in_library(top: str) -> bool:
    """Whether Python's own library has a module of that name, which hides what a project calls so."""
    folders = [Path(entry) for entry in sys.path if _is_library(Path(entry))]
    return top in sys.stdlib_module_names or any((folder / top / "__init__.py").is_file() for folder in folders)


def _is_library(folder: Path) -> bool:
    """The folder of the library, that of its extensions, and its archive."""
    return folder in (_LIBRARY, _LIBRARY / "lib-dynload") or (folder.suffix == ".zip" and folder.parent == _ABOVE)
