"""craftc lint: every mistake of all files and folders given."""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO

import click
from click.exceptions import Exit

from craftc.cli.inputs.lint_sources import STANDARD_INPUT, sources
from craftc.cli.lint_files import Linted, lint_files
from craftc.cli.parameters import PATH, OneOf, command, option
from craftc.cli.show_diagnostics import count, show_diagnostics, summary
from craftc.schemas.diagnostic import Diagnostic


class Format(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


_KINDS = ("spec", "base", "search space", "file")
"""What a file may be; a `file` could not be read."""


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
@option("--fix", is_flag=True, help="Mend what has one sure mend, and write the files; of standard input, the text.")
@option("--diff", is_flag=True, help="Show what --fix would change, and write nothing.")
def lint(paths: tuple[Path, ...], format: Format, stdin_filename: str | None, fix: bool, diff: bool) -> None:
    """Tell every mistake in the specs, bases and search spaces given.

    Exit 0 when there is none, 1 otherwise, 2 when there is no such file. With --fix, of what is left; with --diff, 1
    also when there is something to fix.

    Example: `craftc lint specs/ --format json`
    """
    if stdin_filename is not None and STANDARD_INPUT not in paths:
        raise _wrong_use("--stdin-filename names standard input, which - among the paths would read")
    if diff and (fix or format is not Format.TEXT):
        raise _wrong_use(f"--diff and {'--fix' if fix else f'--format {format.value}'} exclude each other")
    if fix or diff:
        from craftc.cli.lint_fix import FixedFiles, show_difference, write_fixed

        fixed = FixedFiles(list(sources(paths, stdin_filename)))
        linted = fixed.linted
        _tell_others(linted, paths)
        is_done = not show_difference(fixed) if diff else write_fixed(fixed)
        # Standard output is the text's, as of any formatter.
        stream = sys.stderr if STANDARD_INPUT in paths else sys.stdout
    else:
        linted = lint_files(sources(paths, stdin_filename))
        _tell_others(linted, paths)
        is_done, stream = True, sys.stdout
    if not diff:
        _write(linted.diagnostics, linted.texts, format, stream, marks_fixes=not fix)
    if format in (Format.TEXT, Format.GITHUB):
        files = ", ".join(count(linted.num_files[kind], kind) for kind in _KINDS if linted.num_files[kind])
        fixable = "" if fix or diff or format is Format.GITHUB else _fixable(linted.diagnostics)
        left = " would be left" if diff else ""
        click.echo(f"{files}: {summary(linted.diagnostics)}{left}{fixable}", err=True)
    if not is_done or any(diagnostic.severity == "error" for diagnostic in linted.diagnostics):
        raise Exit(1)


def _wrong_use(message: str) -> Exit:
    click.echo(message, err=True)
    return Exit(2)


def _tell_others(linted: Linted, paths: Sequence[Path]) -> None:
    if linted.others:
        click.echo(f"no spec, base or search space: {', '.join(linted.others)}", err=True)
    if not linted.num_files:
        raise _wrong_use(f"no spec in {', '.join(map(str, paths))}")


def _fixable(diagnostics: Sequence[Diagnostic]) -> str:
    number = sum(diagnostic.fix is not None for diagnostic in diagnostics)
    return f"; {number} of {len(diagnostics)} can be fixed with --fix" if number else ""


def _write(
    diagnostics: Sequence[Diagnostic],
    texts: Mapping[str, str],
    format: Format,
    stream: IO[str],
    *,
    marks_fixes: bool,
) -> None:
    if format is Format.TEXT:
        show_diagnostics(diagnostics, texts, stream, marks_fixes=marks_fixes)
    elif format is Format.JSON:
        from craftc.compiler.render.text import render_json

        click.echo(render_json(diagnostics), file=stream)
    elif format is Format.SARIF:
        from craftc.cli.inputs.repository import uri_in_repository
        from craftc.compiler.render.sarif import render_sarif

        click.echo(render_sarif(diagnostics, uri_in_repository), file=stream)
    elif diagnostics:
        from craftc.cli.inputs.repository import name_in_repository
        from craftc.compiler.render.github import render_github

        click.echo(render_github(diagnostics, name_in_repository), file=stream)
