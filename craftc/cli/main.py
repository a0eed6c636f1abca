"""The command line: one file for each command, gathered here."""

import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from craftc import __version__

COMMANDS = {
    "lint": "Tell every mistake in the specs, bases and search spaces given.",
    "check": "Build every variant, take two steps, evaluate two batches of every split, and show what a step costs.",
    "plan": "Show what craftc run would train, what it would reuse, and how long that takes.",
    "run": "Train every trial of the spec that the store does not hold yet, then print the conclusion.",
    "report": "Tell what a run showed: every variant with its interval, compared with the baseline seed by seed.",
    "compare": "Tell in which fields, trials and conclusions two specs or runs differ.",
    "sync": "Upload the W&B runs that a run kept offline, or that W&B did not take, and make their sweep.",
    "schema": "Print what there is to know of a field or a component, or the JSON Schema of the language.",
    "explain": "Explain one diagnostic: what it means, why it is one, a bad and a good example.",
    "submit": "Have a cluster run the spec, as craftc run does here.",
    "status": "Tell of runs and submissions whether they run, and how many of their trials are finished.",
    "stop": "End a run, here or on a cluster. What was trained is kept: the same command as before goes on from there.",
    "clean": "Tell what the store and the runs hold, and how large it is; with options, remove what they ask for.",
}
"""In the order of `craftc --help`; each is the function of that name in the module `craftc.cli.` of that name. The
first paragraph of its help stands here too, so that the list of all imports none."""

RUN_MODULES = {
    "PIL", "filelock", "mlxtend", "numpy", "optuna", "pandas", "ray", "scipy", "sklearn", "tensorboardX", "torch",
    "torchmetrics", "wandb",
}  # fmt: skip
"""What the `run` extra installs, by the names that are imported. Linting and planning need none of it."""


class _Group(click.Group):
    """The commands by name, each imported when it is asked for: what `craftc stop` needs, `craftc lint` does not."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"craftc.cli.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with all commands to choose from for what is misspelt."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Where 2 is to say that there is work, as of `plan`, a mistake in the options is 1."""
        asked = "--detailed-exitcode" in ctx.args
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if asked:
                setattr(error, "exit_code", 1)  # noqa: B010 (declared as a constant)
            raise


@click.group("craftc", cls=_Group)
@click.version_option(__version__, message="craftc %(version)s", help="Print it.")
def app() -> None:
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
    try:
        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in RUN_MODULES:
            raise
        click.echo(f"this command needs {error.name}, which comes with: pip install 'craftc[run]'", err=True)
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
