"""craftc explain: one diagnostic, with a bad and a good example."""

import sys
from typing import Annotated

import typer

from craftc.compiler.explanations import codes, source
from craftc.compiler.problem import did_you_mean


def explain(
    code: Annotated[str, typer.Argument(help="As it stands in brackets: error[CODE].", show_default=False)],
) -> None:
    """Explain one diagnostic: what it means, why it is one, a bad and a good example.

    Example: `craftc explain unknown-key`
    """
    if code not in codes():
        hint = did_you_mean(code, codes()) or f"known are {', '.join(codes())}"
        typer.echo(f'there is no code "{code}"; {hint}', err=True)
        raise typer.Exit(2)
    page = source(code)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(page))
    else:
        typer.echo(page, nl=False)
