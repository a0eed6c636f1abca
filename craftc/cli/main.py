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
    "resume": "Go on with a run that was interrupted: the newest, or the one that is named.",
    "report": "Tell what a run showed: every variant with its interval, compared with the baseline seed by seed.",
    "log": "Keep a log of all runs: an entry each, with what changed, what came of it, and room for what people write.",
    "compare": "Tell in which fields, trials and conclusions two specs or runs differ.",
    "sync": "Upload the W&B runs that a run kept offline, or that W&B did not take, and make their sweep.",
    "schema": "Print what there is to know of a field or a component, or the JSON Schema of the language.",
    "explain": "Explain one diagnostic: what it means, why it is one, a bad and a good example.",
    "submit": "Have a cluster run the spec, as craftc run does here.",
    "status": "Tell of runs and submissions whether they run, and how many of their trials are finished.",
    "stop": "End a run, here or on a cluster. What was trained is kept: the same command as before goes on from there.",
    "verify": "Tell whether every file that a number comes from is as it was written; with --fix, mend what is not.",
    "clean": "Tell what the store and the runs hold, and how large it is; with options, remove what they ask for.",
}
"""In the order of `craftc --help`; each is the function of that name in the module `craftc.cli.` of that name. The
first paragraph of its help stands here too, so that the list of all imports none."""

LIGHT = ("report", "log", "compare", "status", "stop", "verify", "clean")
"""The commands for which the `report` extra is enough."""
BASE_MODULES = {"click", "griffe", "pydantic", "pydantic_core", "rich", "ruamel", "yaml"}
"""What comes with craftc itself, by the names that are imported."""


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


@click.group("craftc", cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="craftc %(version)s", help="Print it.")
def app() -> None:
    """A compiler for machine-learning experiments: one YAML spec in, a plan of trials, a conclusion out."""


def main() -> None:
    """Run the command that the arguments name."""
    _open_streams()
    lints = sys.argv[1:2] == ["lint"]
    try:
        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "craftc") or package in sys.stdlib_module_names:
            raise  # a fault of craftc or of Python, which a package would not mend
        click.echo(_what_installs(package, next(iter(sys.argv[1:]), "")), err=True)
        sys.exit(1)
    except SystemExit as ended:
        code = _with_output(ended.code)
        if lints and isinstance(code, int):
            _leave(code)
        sys.exit(code)


def _open_streams() -> None:
    """Have standard output and standard error take whatever comes: a terminal that knows no 漢字 shows its number, and
    what cannot be written is dropped. A stream that who started the program has closed is none to write to."""
    from craftc.tolerant_stream import tolerant

    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (until the process ends)
        elif isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, tolerant(descriptor, stream))


def _with_output(code: str | int | None) -> str | int | None:
    """What the process exits with: 1 where all went well, but standard output could not be written."""
    from craftc.tolerant_stream import failure_of

    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return code
    failure = failure_of(sys.stdout)
    if failure is None:
        return code
    click.echo(f"cannot write to standard output: {failure.strerror}", err=True)
    return code or 1


def _what_installs(package: str, command: str) -> str:
    if package in BASE_MODULES:
        return f"craftc needs {package}, which comes with: pip install craftc"
    extra = "mlflow" if package == "mlflow" else "run"
    light = "; for this command pip install 'craftc[report]' is enough" if command in LIGHT else ""
    return f"this command needs {package}, which comes with: pip install 'craftc[{extra}]'{light}"


def _leave(code: int) -> None:
    """End the process as it is: to take its memory apart, value by value, is a sixth of the time of a cold lint."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # nobody reads any more, or the stream is closed: for Python to tell
    os._exit(code)
