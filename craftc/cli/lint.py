"""craftc lint: every mistake of all files and folders given."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.inputs.lint_sources import STANDARD_INPUT, Source, sources
from craftc.cli.parameters import PATH, OneOf, command, option
from craftc.cli.show_diagnostics import count, show_diagnostics, summary
from craftc.compiler.analyse import Analysis, analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.schemas.diagnostic import Diagnostic, Range


class Format(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


_KINDS = ("spec", "base", "search space", "file")
"""What a file may be; a `file` could not be read."""


@dataclass
class _Linted:
    """What has been found so far.

    `num_files` counts by what a file is; `texts` are contents by name; `others` are files that are none of craftc's.
    """

    num_files: Counter[str] = field(default_factory=Counter)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


@command()
@click.argument(
    "paths",
    type=PATH,
    nargs=-1,
    required=True,
    help="Specs, what they are made of, folders of both; - for standard input.",
)
@option("--format", type=OneOf(Format), default="text", help="How mistakes are written.")
@option(
    "--stdin-filename",
    help="The file that standard input stands for: its name in messages, its folder for what it names.",
)
def lint(paths: tuple[Path, ...], format: Format, stdin_filename: str | None) -> None:
    """Tell every mistake in the specs, bases and search spaces given.

    Exit 0 when there is none, 1 otherwise, 2 when there is no such file.

    Example: `craftc lint specs/ --format json`
    """
    if stdin_filename is not None and STANDARD_INPUT not in paths:
        click.echo("--stdin-filename names standard input, which - among the paths would read", err=True)
        raise Exit(2)
    linted = _lint(sources(paths, stdin_filename))
    if linted.others:
        click.echo(f"no spec, base or search space: {', '.join(linted.others)}", err=True)
    if not linted.num_files:
        click.echo(f"no spec in {', '.join(map(str, paths))}", err=True)
        raise Exit(2)
    _write(linted.diagnostics, linted.texts, format)
    if format in (Format.TEXT, Format.GITHUB):
        files = ", ".join(count(linted.num_files[kind], kind) for kind in _KINDS if linted.num_files[kind])
        click.echo(f"{files}: {summary(linted.diagnostics)}", err=True)
    if any(diagnostic.severity == "error" for diagnostic in linted.diagnostics):
        raise Exit(1)


def _lint(given: Iterable[Source]) -> _Linted:
    linted = _Linted()
    told: set[tuple[str, Range, str]] = set()
    for source in given:
        kind, found = "file", [source.text] if isinstance(source.text, Diagnostic) else []
        if isinstance(source.text, str):
            analysis = _analyse(source, source.text)
            if analysis is None:
                linted.others.append(source.name)
                continue
            kind, found = analysis.kind or "file", list(analysis.diagnostics)
            linted.texts |= {source.name: source.text, **analysis.fragments}
        linted.num_files[kind] += 1
        for diagnostic in found:
            # A base that several specs extend is read with each of them, and maybe by itself.
            mistake = (diagnostic.code, diagnostic.range, diagnostic.message)
            if mistake not in told:
                told.add(mistake)
                linted.diagnostics.append(diagnostic)
    return linted


def _analyse(source: Source, text: str) -> Analysis | None:
    """What is wrong with a file; None of one in a folder that has nothing to do with craftc."""
    analysis = analyse(text, source.name, built_in_catalogue(), environment=os.environ, kind=None)
    if analysis.kind is not None:
        return analysis
    if source.is_named:  # it was meant to be a spec
        return analyse(text, source.name, built_in_catalogue(), environment=os.environ)
    says_craftc = any(line.startswith(("craftc:", '"craftc":', "'craftc':")) for line in text.splitlines())
    return analysis if says_craftc else None


def _write(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], format: Format) -> None:
    if format is Format.TEXT:
        show_diagnostics(diagnostics, texts, sys.stdout)
    elif format is Format.JSON:
        from craftc.compiler.render.text import render_json

        click.echo(render_json(diagnostics))
    elif format is Format.SARIF:
        from craftc.cli.inputs.repository import uri_in_repository
        from craftc.compiler.render.sarif import render_sarif

        click.echo(render_sarif(diagnostics, uri_in_repository))
    elif diagnostics:
        from craftc.cli.inputs.repository import name_in_repository
        from craftc.compiler.render.github import render_github

        click.echo(render_github(diagnostics, name_in_repository))
