"""What the commands' parameters have in common: their types, and how help is written."""

from enum import Enum
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

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
runs_dir = option("--runs-dir", type=PATH, default="runs", help="Where results are kept.")
