"""The command line: one file for each command, gathered here."""

import io
import sys
from collections import UserDict
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from craftc import __version__

COMMANDS = ("lint", "plan", "run", "report", "sync", "schema", "explain", "submit", "status", "stop")
"""In the order of `craftc --help`; each is the function of that name in the module `craftc.cli.` of that name."""

RUN_MODULES = {
    "PIL", "filelock", "mlxtend", "numpy", "optuna", "pandas", "ray", "scipy", "sklearn", "tensorboardX", "torch",
    "torchmetrics", "wandb",
}  # fmt: skip
"""What the `run` extra installs, by the names that are imported. Linting and planning need none of it."""

_MARKUP: Final = "markdown"


class _Commands(UserDict[str, Any]):
    """Name to command, imported when it is asked for: what `craftc stop` needs, `craftc lint` does not wait for."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COMMANDS))

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            alone = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)
            alone.command(name)(getattr(import_module(f"craftc.cli.{name}"), name))
            self.data[name] = typer.main.get_command(alone)
        return self.data[name]


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": _Commands()})


app = typer.Typer(
    name="craftc",
    cls=_Group,
    help="A compiler for machine-learning experiments: one YAML spec in, a plan of trials, a conclusion out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"craftc {__version__}")
        raise typer.Exit


@app.callback()
def root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it.")) -> None:
    """A compiler for machine-learning experiments: one YAML spec in, a plan of trials, a conclusion out."""


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no 漢字 shows its number; it is no reason to fail.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in RUN_MODULES:
            raise
        typer.echo(f"this command needs {error.name}, which comes with: pip install 'craftc[run]'", err=True)
        sys.exit(1)
