"""craftc compare: two specs or runs, difference by difference."""

import sys
from enum import StrEnum
from pathlib import Path

import click

from craftc.cli.parameters import RUN, OneOf, command, option, runs_dir


class Format(StrEnum):
    """How a comparison is written."""

    TEXT = "text"
    JSON = "json"


@command()
@click.argument("a", type=RUN, help="A spec, a run's folder, NAME/RUN, or NAME for its latest run.")
@click.argument("b", type=RUN, help="What it is compared with: the same.")
@option("--format", type=OneOf(Format), default="text", help="How the comparison is written.")
@option("--all", "everything", is_flag=True, help="Every difference, however many there are.")
@runs_dir
def compare(a: str, b: str, format: Format, everything: bool, runs_dir: Path) -> None:
    """Tell in which fields, trials and conclusions two specs or runs differ.

    Exit 0 whether they differ or not, 1 with mistakes in a spec, 2 when there is no such file or run.

    Example: `craftc compare specs/vit_ablation.yaml vit-ablation`
    """
    from craftc.cli.inputs.read_experiment import read_experiment
    from craftc.report.diff_experiments import diff_experiments
    from craftc.report.render_comparison import print_comparison

    comparison = diff_experiments(read_experiment(a, runs_dir), read_experiment(b, runs_dir))
    if format is Format.JSON:
        click.echo(comparison.model_dump_json(indent=2))
        return
    from rich.console import Console

    print_comparison(comparison, Console(file=sys.stdout), everything=everything)
