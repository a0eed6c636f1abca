"""craftc compare: two specs or runs, difference by difference."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a comparison is written."""

    TEXT = "text"
    JSON = "json"


def compare(
    a: Annotated[str, typer.Argument(help="A spec, a run's folder, NAME/RUN, or NAME for its latest run.")],
    b: Annotated[str, typer.Argument(help="What it is compared with: the same.")],
    format: Annotated[Format, typer.Option(help="How the comparison is written.")] = Format.TEXT,
    everything: Annotated[bool, typer.Option("--all", help="Every difference, however many there are.")] = False,
    runs_dir: Annotated[Path, typer.Option(help="Where results are kept.")] = Path("runs"),
) -> None:
    """Tell in which fields, trials and conclusions two specs or runs differ.

    Exit 0 whether they differ or not, 1 with mistakes in a spec, 2 when there is no such file or run.

    Example: `craftc compare specs/vit_ablation.yaml vit-ablation`
    """
    from craftc.cli.read_experiment import read_experiment
    from craftc.report.diff_experiments import diff_experiments
    from craftc.report.render_comparison import print_comparison

    comparison = diff_experiments(read_experiment(a, runs_dir), read_experiment(b, runs_dir))
    if format is Format.JSON:
        typer.echo(comparison.model_dump_json(indent=2))
        return
    from rich.console import Console

    print_comparison(comparison, Console(file=sys.stdout), everything=everything)
