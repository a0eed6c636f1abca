"""Writes the catalogue that the compiler checks specs against, from the registry.

`python -m craftc.components.describe` writes it; with `--check` it exits with 1 where the file is not up to date.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from craftc.compiler.own_code.interface import named_parameters
from craftc.compiler.own_code.python_source import SourceIndex
from craftc.compiler.own_code.signature import describe_component, find_component
from craftc.components.registry import REGISTRY
from craftc.schemas.catalogue import Catalogue, ComponentEntry, FrozenParts, Group, Parameter

CATALOGUE_FILE = Path(__file__).parents[1] / "compiler" / "language" / "catalogue.json"


def describe() -> Catalogue:
    """The entry of every registered component, in the order of the registry."""
    entries = [
        _shipped(_read(group, kind, target))  # type: ignore[arg-type]
        for group, kinds in REGISTRY.items()
        for kind, target in kinds.items()
    ]
    return Catalogue(entries=tuple(entries))


def _read(group: Group, kind: str, target: str) -> ComponentEntry:
    component = find_component(target, SourceIndex())
    return describe_component(component, group, kind)._replace(named=named_parameters(component, group))


def _shipped(entry: ComponentEntry) -> ComponentEntry:
    """Without the places in files, which are reported only for a user's own code; a tuple's default is written out."""
    parameters = [p._replace(defined_at=None, computed=False) for p in entry.parameters]
    return entry._replace(defined_at=None, parameters=tuple(parameters))


def render(catalogue: Catalogue) -> str:
    """JSON with one line per parameter, so that a diff shows what changed. What has its default is left out."""
    return '{"entries": [\n' + ",\n".join(_render_entry(entry) for entry in catalogue.entries) + "\n]}\n"


def _render_entry(entry: ComponentEntry) -> str:
    parameters = [json.dumps(_stated(parameter), ensure_ascii=False) for parameter in entry.parameters]
    head = json.dumps(_stated(entry._replace(parameters=())), ensure_ascii=False)
    if not parameters:
        return head
    return head[:-1] + ', "parameters": [\n  ' + ",\n  ".join(parameters) + "\n]}"


def _stated(value: ComponentEntry | Parameter) -> dict[str, Any]:
    defaults = value._field_defaults
    return {
        name: item._asdict() if isinstance(item, FrozenParts) else item
        for name, item in value._asdict().items()
        if name not in defaults or item != defaults[name]
    }


def main() -> int:
    """Write or check the file; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m craftc.components.describe", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the file is out of date")
    check = parser.parse_args().check
    text = render(describe())
    if not check:
        CATALOGUE_FILE.write_text(text, encoding="utf-8")
        return 0
    if CATALOGUE_FILE.is_file() and CATALOGUE_FILE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{CATALOGUE_FILE.name} is out of date; run python -m craftc.components.describe", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
