"""craftc lint: every mistake of all files and folders given."""

import sys
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
    format: Annotated[Format, typer.Option(help="How mistakes are written.")] = Format.TEXT,  # noqa: A002
) -> None:
    """Tell every mistake in the specs given. Exit 0 when there is none, 1 otherwise.

    Example: `craftc lint specs/ --format json`
    """
    diagnostics: list[Diagnostic] = []
    texts: dict[str, str] = {}
    files = [file for path in paths for file in _files(path)]
    for file in files:
        text = read_spec(file)
        if isinstance(text, Diagnostic):
            diagnostics.append(text)
        else:
            texts[str(file)] = text
            diagnostics += analyse(text, str(file), built_in_catalogue()).diagnostics
    if format is Format.JSON:
        typer.echo(render_json(diagnostics))
    else:
        show_diagnostics(diagnostics, texts, sys.stdout)
        typer.echo(f"{count(len(files), 'spec')}: {summary(diagnostics)}", err=True)
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        raise typer.Exit(1)


def _files(path: Path) -> list[Path]:
    """A file as it is; of a folder all that says `craftc:`, which is what makes a YAML file a spec."""
    if not path.is_dir():
        return [path]
    found = sorted(file for pattern in ("*.yaml", "*.yml") for file in path.rglob(pattern))
    specs = [file for file in found if isinstance(text := read_spec(file), Diagnostic) or _is_spec(text)]
    if len(specs) < len(found):
        others = ", ".join(str(file) for file in found if file not in specs)
        typer.echo(f"no spec, for want of a key craftc: {others}", err=True)
    return specs


def _is_spec(text: str) -> bool:
    return any(line.startswith(("craftc:", '"craftc":', "'craftc':", "{")) for line in text.splitlines())
