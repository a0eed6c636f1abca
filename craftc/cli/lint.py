"""craftc lint: every mistake of all files and folders given."""

import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from craftc.cli.read_spec import read_spec
from craftc.cli.show_diagnostics import count, show_diagnostics, summary
from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.render import render_json
from craftc.schemas.diagnostic import Diagnostic


class Format(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"


def lint(
    paths: Annotated[list[Path], typer.Argument(help="Specs, and folders whose specs are meant.", show_default=False)],
    format: Annotated[Format, typer.Option(help="How mistakes are written.")] = Format.TEXT,
) -> None:
    """Tell every mistake in the specs given. Exit 0 when there is none, 1 otherwise, 2 when there is no spec.

    Example: `craftc lint specs/ --format json`
    """
    diagnostics: list[Diagnostic] = []
    texts: dict[str, str] = {}
    files = dict.fromkeys(file for path in paths for file in _files(path))
    if not files:
        typer.echo(f"no spec in {', '.join(map(str, paths))}", err=True)
        raise typer.Exit(2)
    for file in files:
        text = read_spec(file)
        if isinstance(text, Diagnostic):
            diagnostics.append(text)
        else:
            texts[str(file)] = text
            analysis = analyse(text, str(file), built_in_catalogue(), environment=os.environ)
            texts |= analysis.fragments
            diagnostics += analysis.diagnostics
    if format is Format.JSON:
        typer.echo(render_json(diagnostics))
    else:
        show_diagnostics(diagnostics, texts, sys.stdout)
        typer.echo(f"{count(len(files), 'spec')}: {summary(diagnostics)}", err=True)
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        raise typer.Exit(1)


def _files(path: Path) -> list[Path]:
    """A file as it is; of a folder all that says `craftc:`, which is what makes a YAML file a spec."""
    if not os.path.isdir(path):
        return [path]
    found = list(_yaml_files(path))
    specs = [file for file in found if isinstance(text := read_spec(file), Diagnostic) or _is_spec(text)]
    if len(specs) < len(found):
        others = ", ".join(str(file) for file in found if file not in specs)
        typer.echo(f"no spec, for want of a key craftc: {others}", err=True)
    return specs


def _yaml_files(folder: Path) -> Iterator[Path]:
    """In a fixed order; hidden folders, such as a virtual environment, hold nothing of the user's."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))


def _is_spec(text: str) -> bool:
    return any(line.startswith(("craftc:", '"craftc":', "'craftc':", "{")) for line in text.splitlines())
