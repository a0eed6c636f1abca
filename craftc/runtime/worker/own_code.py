"""The folders of a user's own code -> an import path that finds it; a plan -> what of it cannot be imported."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path as File
from typing import Any

from craftc.compiler.own_code.import_path import search_path
from craftc.components.build import load_component
from craftc.components.own_line import told
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path


def make_importable(folders: Iterable[str]) -> None:
    """Have imports search these folders after Python's own library and before all others, in their order. A relative
    one starts where the process runs: on a cluster that is where the project was unpacked."""
    wanted = list(search_path([File(folder).absolute() for folder in folders], sys.path))
    if sys.path != wanted:
        sys.path[:] = wanted
        importlib.invalidate_caches()


def own_kinds(config: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every component of the user's own in a trial's configuration: the place of its `kind`, and the kind."""

    def walk(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
        if isinstance(value, dict):
            if is_own(str(value.get("kind", ""))):
                yield (*path, "kind"), value["kind"]
            for key, item in value.items():
                yield from walk(item, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, (*path, index))

    return walk(config, ())


def cannot_import(kind: str, folders: Sequence[str]) -> str | None:
    """Import what a kind names; in a sentence, why that does not work, or None."""
    try:
        # Whatever a module prints while it is imported is no result.
        with redirect_stdout(sys.stderr):
            load_component("models", kind)
    except (Exception, SystemExit) as error:
        return f"{kind} cannot be imported: {told(error)}"
    return _shadowed(kind.partition(":")[0], folders)


def _shadowed(module: str, folders: Sequence[str]) -> str | None:
    """Another file than that of the user's project may be loaded under its name, Python's own above all."""
    top = module.partition(".")[0]
    loaded = getattr(sys.modules[top], "__file__", None)
    for folder in folders:
        for own in (File(folder, top, "__init__.py"), File(folder, f"{top}.py")):
            if own.is_file():
                if loaded is not None and File(loaded).resolve() == own.resolve():
                    return None
                return f'"{top}" is {own} in the project, but was imported from {loaded or "Python itself"} before'
    return None
