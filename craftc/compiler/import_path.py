"""A spec's path -> the folders in which its own code is found."""

import os
import sys
from pathlib import Path

ROOT_MARK = ".craftc_root"
"""Marks the copy of a project that was sent elsewhere, whose own mark may not have travelled."""

ROOT_MARKS = ("pyproject.toml", ".git", ROOT_MARK)


def project_root(spec: Path) -> Path:
    """The nearest folder above the spec with a pyproject.toml or a .git, else the spec's own."""
    folder = spec.resolve().parent
    marked = (parent for parent in (folder, *folder.parents) if any((parent / mark).exists() for mark in ROOT_MARKS))
    return next(marked, folder)


def import_folders(spec: Path) -> tuple[Path, ...]:
    """The project's root, its `src` where there is one, and the spec's folder; absolute, each once, in this order.

    They come before what is installed. The current folder is none of them: a spec means the same wherever craftc is
    called.
    """
    root = project_root(spec)
    source = (root / "src",) if (root / "src").is_dir() else ()
    return tuple(dict.fromkeys((root, *source, spec.resolve().parent)))


def installed_folders() -> tuple[Path, ...]:
    """`sys.path`, without the current folder that `python -m craftc` puts first."""
    entries = sys.path[1:] if sys.path[:1] in ([""], [os.getcwd()]) else sys.path
    return tuple(map(Path, entries))
