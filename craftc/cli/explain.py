"""craftc explain: one diagnostic, with a bad and a good example."""

import sys

import click
from click.exceptions import Exit

from craftc.cli.parameters import command
from craftc.compiler.reading.problem import did_you_mean
from craftc.compiler.render.explanations import codes, source


@command()
@click.argument("code", help="As it stands in brackets: error[CODE].")
def explain(code: str) -> None:
    """Explain one diagnostic: what it means, why it is one, a bad and a good example.

    Example: `craftc explain unknown-key`
    """
    if code not in codes():
        hint = did_you_mean(code, codes()) or f"known are {', '.join(codes())}"
        click.echo(f'there is no code "{code}"; {hint}', err=True)
        raise Exit(2)
    page = source(code)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(page))
    else:
        click.echo(page, nl=False)
