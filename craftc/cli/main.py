"""The command line: one file for each command, gathered here."""

import sys

import typer

from craftc import __version__
from craftc.cli.clean import clean
from craftc.cli.compare import compare
from craftc.cli.explain import explain
from craftc.cli.lint import lint
from craftc.cli.plan import plan
from craftc.cli.report import report
from craftc.cli.run import run
from craftc.cli.schema import schema
from craftc.cli.status import status
from craftc.cli.stop import stop
from craftc.cli.submit import submit
from craftc.cli.sync import sync

RUN_MODULES = {
    "PIL", "filelock", "mlxtend", "numpy", "optuna", "pandas", "ray", "scipy", "sklearn", "tensorboardX", "torch",
    "torchmetrics", "wandb",
}  # fmt: skip
"""What the `run` extra installs, by the names that are imported. Linting and planning need none of it."""

app = typer.Typer(
    name="craftc",
    help="A compiler for machine-learning experiments: one YAML spec in, a plan of trials, a conclusion out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (lint, plan, run, report, compare, sync, schema, explain, submit, status, stop, clean):
    app.command()(command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"craftc {__version__}")
        raise typer.Exit


@app.callback()
def root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it.")) -> None:
    """A compiler for machine-learning experiments: one YAML spec in, a plan of trials, a conclusion out."""


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in RUN_MODULES:
            raise
        typer.echo(f"this command needs {error.name}, which comes with: pip install 'craftc[run]'", err=True)
        sys.exit(1)
