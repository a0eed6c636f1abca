"""What the commands' parameters have in common: their types, and how help is written."""

import glob
import os
from enum import Enum
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

RUNS_DIR = "CRAFTC_RUNS_DIR"
PATH: click.Path = click.Path(path_type=Path)
"""Any path; what is wrong with it is told by who reads it."""


class OneOf(click.Choice[Any]):
    """A member of an enumeration, by its value."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """The value: click would go by the member's name."""
        return str(choice.value if isinstance(choice, Enum) else choice)


class Command(click.Command):
    """A command whose help is its function's docstring."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without the marks of code, which a terminal shows as they are."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(cleandoc(self.help or "").replace("`", ""))

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first paragraph, in full."""
        return " ".join((self.help or "").partition("\n\n")[0].replace("`", "").split())


command = partial(click.command, cls=Command)
option = partial(click.option, show_default=True)
"""What has no default shows none."""
runs_dir = option(
    "--runs-dir", type=PATH, default="runs", envvar=RUNS_DIR, help=f"Where results are kept; {RUNS_DIR} sets it too."
)


class RunName(click.ParamType[str]):
    """A run, or with `submissions` a submission too; completed by the names of those that there are."""

    name = "run"

    def __init__(self, *, submissions: bool = False) -> None:
        self._submissions = submissions

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """NAME for each spec that was run; behind a slash its runs, the latest first. Folders serve as well."""
        folder = Path(ctx.params.get("runs_dir") or os.environ.get(RUNS_DIR) or "runs")
        name, slash, _ = incomplete.partition("/")
        names = sorted({path.parent.parent.name for path in folder.glob("*/*/plan.json")})
        if slash:
            runs = sorted((path.parent.name for path in folder.glob(f"{glob.escape(name)}/*/plan.json")), reverse=True)
            names = [f"{name}/{run}" for run in runs]
        if self._submissions:
            names += sorted(path.stem for path in folder.glob("submissions/*.json"))
        found = [CompletionItem(each) for each in names if each.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="dir")]


RUN = RunName()
RUN_OR_SUBMISSION = RunName(submissions=True)
