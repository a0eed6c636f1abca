"""craftc report: the conclusion of a run."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from craftc.schemas.conclusion import Conclusion


class Format(StrEnum):
    """How a conclusion is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def report(
    run: Annotated[
        str, typer.Argument(help="A run's folder, NAME/RUN, or NAME for its latest run.", show_default=False)
    ],
    format: Annotated[Format, typer.Option(help="How the conclusion is written.")] = Format.TEXT,
    runs_dir: Annotated[Path, typer.Option(help="Where results are kept.")] = Path("runs"),
) -> None:
    """Tell what a run showed: every variant with its interval, compared with the baseline seed by seed.

    Example: `craftc report vit-ablation --format markdown`
    """
    from craftc.report.budget import read_budget
    from craftc.report.conclude import conclude
    from craftc.report.read_run import RunUnreadableError, read_run
    from craftc.report.read_search import read_search
    from craftc.runtime.run_folder import find_run

    try:
        folder = find_run(run, runs_dir)
        conclusion = conclude(*read_run(folder), read_search(folder), read_budget(folder))
    except (RunUnreadableError, FileNotFoundError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    print_conclusion(conclusion, format)


def print_conclusion(conclusion: "Conclusion", format: Format) -> None:
    """Write a conclusion to standard output."""
    from rich.console import Console

    from craftc.report.render_json import render_json
    from craftc.report.render_markdown import render_markdown
    from craftc.report.render_text import print_text

    match format:
        case Format.JSON:
            typer.echo(render_json(conclusion))
        case Format.MARKDOWN:
            typer.echo(render_markdown(conclusion))
        case Format.TEXT:
            print_text(conclusion, Console(file=sys.stdout))
