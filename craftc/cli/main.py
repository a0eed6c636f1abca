"""The command line: one file for each command, gathered here."""

import io
import os
import sys
from collections import UserDict
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from craftc import __version__

COMMANDS = (
    "lint", "plan", "run", "report", "compare", "sync", "schema", "explain", "submit", "status", "stop", "migrate",
    "clean",
)  # fmt: skip
"""In the order of `craftc --help`; each is the function of that name in the module `craftc.cli.` of that name."""

RUN_MODULES = {
    "PIL", "filelock", "mlxtend", "numpy", "optuna", "pandas", "ray", "scipy", "sklearn", "tensorboardX", "torch",
    "torchmetrics", "wandb",
}  # fmt: skip
"""What the `run` extra installs, by the names that are imported. Linting and planning need none of it."""

_MARKUP: Final = "markdown"
USAGE = 2


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

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Where 2 is to say that there is work, as of `plan`, a mistake in the options is 1."""
        asked = "--detailed-exitcode" in ctx.args
        try:
            return super().invoke(ctx)
        except Exception as error:
            # The class of such a mistake is no public name of typer's.
            if asked and getattr(error, "exit_code", None) == USAGE and not isinstance(error, typer.Exit):
                setattr(error, "exit_code", 1)  # noqa: B010 (declared as a constant)
            raise


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
    if sys.stdout is None:  # closed by who started the program
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no 漢字 shows its number; it is no reason to fail.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    lints = sys.argv[1:2] == ["lint"]
    if lints:
        # Looking for plugins of pydantic reads the metadata of every package that is installed.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in RUN_MODULES:
            raise
        typer.echo(f"this command needs {error.name}, which comes with: pip install 'craftc[run]'", err=True)
        sys.exit(1)
    except SystemExit as ended:
        if lints and isinstance(ended.code, int):
            _leave(ended.code)
        raise


def _leave(code: int) -> None:
    """End the process as it is: to take its memory apart, value by value, is a sixth of the time of a cold lint."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # nobody reads any more, or the stream is closed: for Python to tell
    os._exit(code)
