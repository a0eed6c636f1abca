"""craftc report: the conclusion of a run."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN, OneOf, command, option, runs_dir

if TYPE_CHECKING:
    from craftc.schemas.conclusion import Conclusion


class Format(StrEnum):
    """How a conclusion is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@command()
@click.argument("run", type=RUN, help="A run's folder, NAME/RUN, or NAME for its latest run.")
@option("--format", type=OneOf(Format), default="text", help="How the conclusion is written.")
@runs_dir
def report(run: str, format: Format, runs_dir: Path) -> None:
    """Tell what a run showed: every variant with its interval, compared with the baseline seed by seed.

    Example: `craftc report vit-ablation --format markdown`
    """
    from craftc.report.read_run import RunUnreadableError
    from craftc.runtime.store.run_folder import find_run

    try:
        folder = find_run(run, runs_dir)
        conclusion = read_conclusion(folder)
    except (RunUnreadableError, FileNotFoundError) as error:
        click.echo(str(error), err=True)
        raise Exit(2) from None
    print_conclusion(conclusion, format)


def read_conclusion(folder: Path) -> "Conclusion":
    """What a run's folder and the store show. Raises RunUnreadableError."""
    from craftc.report.budget import read_budget
    from craftc.report.conclude import conclude
    from craftc.report.read_artefacts import read_artefacts
    from craftc.report.read_run import read_run
    from craftc.report.read_search import read_search

    plan, results, failures = read_run(folder)
    artefacts = read_artefacts(folder, plan)
    return conclude(plan, results, failures, read_search(folder), read_budget(folder), artefacts)


def print_conclusion(conclusion: "Conclusion", format: Format) -> None:
    """Write a conclusion to standard output."""
    from rich.console import Console

    from craftc.report.conclude import render_json
    from craftc.report.render_markdown import render_markdown
    from craftc.report.render_text import print_text

    match format:
        case Format.JSON:
            click.echo(render_json(conclusion))
        case Format.MARKDOWN:
            click.echo(render_markdown(conclusion))
        case Format.TEXT:
            print_text(conclusion, Console(file=sys.stdout))
