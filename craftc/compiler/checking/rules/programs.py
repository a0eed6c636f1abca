"""Rules of a spec that a program trains by: one function and one code each, which yields what breaks its rule."""

import re
from collections.abc import Iterator
from pathlib import Path as Folder

from craftc.compiler.checking.rules.metrics import modes_disagree
from craftc.compiler.checking.rules.rule import CheckedProgram, ProgramRule
from craftc.compiler.language.program_metrics import named_metrics, program_headline, reported_mode
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import PROGRAM

_METRIC = re.compile(r"[^/\s.]+/[^/\s]+")
COMMAND = "command"
"""The kind that starts a program in any language."""
HEADLINE: Path = ("report", "metric")
STOPPING: Path = ("training", "early_stopping")
SELECTING: Path = ("evaluation", "select")


def metric_form(checked: CheckedProgram) -> Iterator[Problem]:
    """A metric has a split and a name."""
    for place, metric, _ in named_metrics(checked.spec):
        if not _METRIC.fullmatch(metric):
            message = f"nothing can report {show(metric)}: a program names each metric <split>/<metric>"
            hint = f"report and write it as valid/{metric}" if metric and "/" not in metric else None
            yield Problem("unknown-metric", (*place, "metric"), message, hint)


def headline_missing(checked: CheckedProgram) -> Iterator[Problem]:
    """Something says by which metric the trials of a program are compared."""
    if program_headline(checked.spec) is None:
        message = "nothing says by which metric its trials are compared, and what a program reports is its own"
        hint = "name one in report: {metric: valid/accuracy, mode: max}"
        yield Problem("headline-missing", ("program",), message, hint, True, reads=(HEADLINE,))


def mode_unknown(checked: CheckedProgram) -> Iterator[Problem]:
    """Which way is better is known of whatever is decided by."""
    headline = program_headline(checked.spec)
    for place, metric, mode in named_metrics(checked.spec):
        if mode == "infer" and _METRIC.fullmatch(metric) and reported_mode(metric, checked.catalogue) is None:
            path = (*place, "metric")
            if headline is not None and headline.metric == metric and headline.mode != "infer":
                hint = f"write mode: {headline.mode} here as well"
            else:
                hint = "write mode: min or mode: max beside it"
            message = f"{show(metric)} is called as no built-in metric, so nothing says which way is better"
            yield Problem("metric-without-mode", path, message, hint, reads=((*place, "mode"),))


def wrong_mode(checked: CheckedProgram) -> Iterator[Problem]:
    """A given direction is that of the built-in metric of the name, and one metric has one direction."""
    given = [named for named in named_metrics(checked.spec) if named.mode != "infer"]
    own = {metric: reported_mode(metric, checked.catalogue) for _, metric, _ in given}
    for place, metric, mode in given:
        better = own[metric]
        if better is not None and mode != better:
            message = f'mode {mode} prefers a worse "{metric}": the better direction of that name is {better}'
            hint = f"write {better}, or report it under another name"
            yield Problem("wrong-mode", (*place, "mode"), message, hint, reads=((*place, "metric"),))
    yield from modes_disagree(named for named in given if own[named.metric] is None)


def metric_not_reported(checked: CheckedProgram) -> Iterator[Problem]:
    """A metric that is named is one that the program reports, where its source says which those are."""
    kind = checked.spec.program.kind
    entry = checked.catalogue.find("programs", kind)
    if entry is None or entry.reported is None:
        return
    records, at_end = entry.reported
    for place, metric, _ in named_metrics(checked.spec):
        path, reads = (*place, "metric"), (("program", "kind"), (*place, "metric"))
        needs_records = place in (STOPPING, SELECTING)
        known = list(records) if needs_records else [*records, *at_end]
        if metric in known or not _METRIC.fullmatch(metric):
            continue
        if needs_records and metric in at_end:
            message = f"{kind} finishes with {show(metric)}, and nothing can be chosen by what is measured at the end"
            hint = f"report it in run.report, or choose by {one_of(records)}" if records else None
        else:
            message = f"{kind} reports no {show(metric)}"
            hint = did_you_mean(metric, known) or (f"it reports {one_of(known)}" if known else "it reports nothing")
        related = entry.definition()
        yield Problem("metric-not-reported", path, message, hint, severity="warning", reads=reads, related=related)


def command_arguments(checked: CheckedProgram) -> Iterator[Problem]:
    """The arguments of a command fit each other, its files, and the JSON Schema that its user has for them."""
    program = checked.spec.program
    if program.kind != COMMAND or checked.folder is None:
        return
    from craftc.compiler.checking.command_arguments import check_command  # and with it, perhaps, jsonschema

    for path, message, hint in check_command(program.args, Folder(checked.folder)):
        yield Problem("command-arguments", (PROGRAM, *path), message, hint)


def idle_resources(checked: CheckedProgram) -> Iterator[Problem]:
    """A program takes its steps and hands over its state by itself."""
    resources = checked.spec.resources
    for key, given, what in (
        ("micro_batch", resources.micro_batch, "takes its batches"),
        ("checkpoint_every", resources.checkpoint_every, "hands over its state"),
    ):
        if given is not None:
            message = f"a program {what} itself, and resources.{key} is of what craftc trains"
            yield Problem("no-effect", ("resources", key), message, severity="warning")


PROGRAM_RULES: tuple[ProgramRule, ...] = (metric_not_reported, command_arguments, idle_resources)
"""What every variant has to keep."""
PROGRAM_DESIGN_RULES: tuple[ProgramRule, ...] = (metric_form, headline_missing, mode_unknown, wrong_mode)
"""What is asked once, of the spec as written."""
