"""craftc report: the conclusion of a run."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN, OneOf, command, option, runs_dir
from craftc.cli.show_damaged import NOT_FINISHED, tell_of_damaged

if TYPE_CHECKING:
    from craftc.schemas.conclusion import Conclusion


class Format(StrEnum):
    """How a conclusion is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    LATEX = "latex"
    CSV = "csv"


class Mode(StrEnum):
    """Which way a metric is better."""

    MIN = "min"
    MAX = "max"


ALL = "all"
"""In the place of a metric's name."""


@command()
@click.argument("run", type=RUN, help="A run's folder, NAME/RUN, or NAME for its latest run.")
@option("--format", type=OneOf(Format), default="text", help="How the conclusion is written.")
@option("--metric", help="<split>/<metric> in the place of the headline, or all: every metric, and what it cost.")
@option("--check", is_flag=True, help="Exit 1 unless every hypothesis of the spec is confirmed.")
@option("--mode", type=OneOf(Mode), help="Which way --metric is better, where it does not say so itself.")
@runs_dir
def report(run: str, format: Format, metric: str | None, mode: "Mode | None", check: bool, runs_dir: Path) -> None:
    """Tell what a run showed: every variant with its interval, compared with the baseline seed by seed.

    html is the page that every run has as report.html, with figures; it needs no other file. latex is a table
    for a paper with a paragraph on methods, csv a row for each trial.

    Which epoch of a trial counts stays what its spec says, whatever the metric.

    With --check, exit 0 where every hypothesis (report.hypotheses) is confirmed, 1 where one is refuted or undecided,
    and 2 where there is none.

    Example: `craftc report vit-ablation --format markdown`
    """
    from craftc.report.another_metric import UnknownMetricError
    from craftc.report.read_run import RunUnreadableError
    from craftc.runtime.store.run_folder import find_run

    try:
        folder = find_run(run, runs_dir)
        if format is Format.HTML:
            _print_page(folder)
            return
        if metric == ALL:
            print_metrics(folder, format)
            return
        conclusion = conclusion_of(folder, metric, mode)
    except (RunUnreadableError, UnknownMetricError, FileNotFoundError) as error:
        click.echo(str(error), err=True)
        raise Exit(2) from None
    if format is Format.CSV:
        _print_trials(folder, conclusion)
    else:
        print_conclusion(conclusion, format)
    if check:
        _check(conclusion)


def _print_trials(folder: Path, conclusion: "Conclusion") -> None:
    """Write a row for each trial."""
    from craftc.report.read_run import read_run
    from craftc.report.render_csv import render_csv

    plan, results, _ = read_run(folder)
    click.echo(render_csv(plan, conclusion, results), nl=False)


def _check(conclusion: "Conclusion") -> None:
    """End with 1 where a hypothesis is not confirmed, with 2 where there is none."""
    if not conclusion.hypotheses:
        click.echo("there is nothing to check: the spec of this run has no report.hypotheses", err=True)
        raise Exit(2)
    failed = [each for each in conclusion.hypotheses if each.outcome != "confirmed"]
    for each in failed:
        click.echo(f"{each.outcome}: {each.text}", err=True)
    if failed:
        raise Exit(1)


def print_metrics(folder: Path, format: Format) -> None:
    """Write all metrics of a run, and what its variants cost, to standard output. Raises RunUnreadableError."""
    from rich.console import Console

    from craftc.report.metric_table import metric_table, tokens_read
    from craftc.report.read_run import read_run
    from craftc.report.render_metric_table import metrics_as_markdown, metrics_as_text

    damaged: list[str] = []
    plan, results, failures = read_run(folder, damaged.append)
    tell_of_damaged(damaged, NOT_FINISHED)
    table = metric_table(plan, results, failures, tokens_read(plan, folder.parent.parent / "store"))
    match format:
        case Format.JSON:
            click.echo(table.model_dump_json(indent=2))
        case Format.MARKDOWN:
            click.echo(metrics_as_markdown(table))
        case Format.TEXT:
            click.echo(metrics_as_text(table, Console(file=sys.stdout).width))


def conclusion_of(folder: Path, metric: str | None = None, mode: str | None = None) -> "Conclusion":
    """What the run in a folder showed, of the files that are sound, by the headline or by another metric; tells of the
    others. Raises RunUnreadableError and UnknownMetricError."""
    from craftc.report.read_conclusion import read_conclusion

    damaged: list[str] = []
    conclusion = read_conclusion(folder, metric, mode, damaged.append)
    tell_of_damaged(damaged, NOT_FINISHED)
    return conclusion


def _print_page(folder: Path) -> None:
    """Write the page to standard output. Raises RunUnreadableError."""
    from craftc.report.page.content import read_content
    from craftc.report.page.page import render_page
    from craftc.runtime.store.driver_process import is_alive, is_here, read_driver

    driver = read_driver(folder)
    is_running = driver is not None and is_here(driver) and is_alive(driver)
    click.echo(render_page(read_content(folder, is_running=is_running)), nl=False)


def print_conclusion(conclusion: "Conclusion", format: Format) -> None:
    """Write a conclusion to standard output; as CSV there are trials, and no conclusion."""
    from rich.console import Console

    from craftc.report.conclude import render_json
    from craftc.report.render_latex import render_latex
    from craftc.report.render_markdown import render_markdown
    from craftc.report.render_text import print_text

    match format:
        case Format.JSON:
            click.echo(render_json(conclusion))
        case Format.LATEX:
            click.echo(render_latex(conclusion), nl=False)
        case Format.MARKDOWN:
            click.echo(render_markdown(conclusion))
        case Format.TEXT:
            print_text(conclusion, Console(file=sys.stdout))
        case Format.HTML:
            raise AssertionError("a page shows more than a conclusion: _print_page")
