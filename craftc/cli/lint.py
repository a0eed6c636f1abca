"""craftc lint: every mistake of all files and folders given."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from craftc.cli.lint_sources import STANDARD_INPUT, Source, sources
from craftc.cli.show_diagnostics import count, show_diagnostics, summary
from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic


class Format(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


@dataclass
class _Linted:
    """What has been found so far. `texts` are the contents of the files by name; `others` those that are no specs."""

    num_specs: int = 0
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def lint(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Specs, folders whose specs are meant, - for standard input.", show_default=False),
    ],
    format: Annotated[Format, typer.Option(help="How mistakes are written.")] = Format.TEXT,
    stdin_filename: Annotated[
        str | None,
        typer.Option(
            help="The file that standard input stands for: its name in messages, its folder for what it names."
        ),
    ] = None,
) -> None:
    """Tell every mistake in the specs given. Exit 0 when there is none, 1 otherwise, 2 when there is no spec.

    Example: `craftc lint specs/ --format json`
    """
    if stdin_filename is not None and STANDARD_INPUT not in paths:
        typer.echo("--stdin-filename names standard input, which - among the paths would read", err=True)
        raise typer.Exit(2)
    linted = _lint(sources(paths, stdin_filename))
    if linted.others:
        typer.echo(f"no spec, for want of a key craftc: {', '.join(linted.others)}", err=True)
    if not linted.num_specs:
        typer.echo(f"no spec in {', '.join(map(str, paths))}", err=True)
        raise typer.Exit(2)
    _write(linted.diagnostics, linted.texts, format)
    if format in (Format.TEXT, Format.GITHUB):
        typer.echo(f"{count(linted.num_specs, 'spec')}: {summary(linted.diagnostics)}", err=True)
    if any(diagnostic.severity == "error" for diagnostic in linted.diagnostics):
        raise typer.Exit(1)


def _lint(given: Iterable[Source]) -> _Linted:
    linted = _Linted()
    for source in given:
        if isinstance(source.text, Diagnostic):
            linted.diagnostics.append(source.text)
        elif not source.is_named and not _is_spec(source.text):
            linted.others.append(source.name)
            continue
        else:
            analysis = analyse(source.text, source.name, built_in_catalogue())
            linted.texts |= {source.name: source.text, **analysis.fragments}
            linted.diagnostics += analysis.diagnostics
        linted.num_specs += 1
    return linted


def _is_spec(text: str) -> bool:
    """The key `craftc:` is what makes a YAML file a spec."""
    return any(line.startswith(("craftc:", '"craftc":', "'craftc':", "{")) for line in text.splitlines())


def _write(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], format: Format) -> None:
    if format is Format.TEXT:
        show_diagnostics(diagnostics, texts, sys.stdout)
    elif format is Format.JSON:
        from craftc.compiler.render import render_json

        typer.echo(render_json(diagnostics))
    elif format is Format.SARIF:
        from craftc.cli.repository import uri_in_repository
        from craftc.compiler.render_sarif import render_sarif

        typer.echo(render_sarif(diagnostics, uri_in_repository))
    elif diagnostics:
        from craftc.cli.repository import name_in_repository
        from craftc.compiler.render_github import render_github

        typer.echo(render_github(diagnostics, name_in_repository))
