"""Trains by a program in any language, which is started with arguments and prints what it measures."""

import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from annotated_types import MinLen

from craftc.compiler.language.command_template import STATE, filled
from craftc.components.bounds import Name
from craftc.components.programs.reported_lines import Appended, Printed, Report, Source, reports

if TYPE_CHECKING:
    from craftc import Run

NO_SETTINGS: Final[Mapping[str, Any]] = {}
NO_FILES: Final[Mapping[str, Path]] = {}
STDOUT: Final = "stdout"
_INTERRUPTED_GRACE_S = 3.0
_GRACE_S = 20.0
"""What a program has to end by itself when it is stopped: less than craftc gives the process of the trial."""


class CommandError(Exception):
    """The program of a command did not end well."""


def command(
    run: "Run",
    *,
    command: Annotated[Sequence[str], MinLen(1)],
    args: Mapping[str, Any] = NO_SETTINGS,
    files: Mapping[str, Path] = NO_FILES,
    resume: Sequence[str] = (),
    metrics: Name = STDOUT,
    schema: Name = "none",
) -> None:
    """Trains by a program in any language: a script, a binary, whatever can be started.

    No shell takes part. A line of its standard output that is a JSON object with metrics makes a record: {"step": 10,
    "valid/loss": 0.3}. With "state": "FILE" in it, a file or folder that the program wrote to {folder}, an interrupted
    trial goes on from there. With "final": true the metrics are what is measured once, at the end. All other lines go
    to output.log. The program is stopped by SIGTERM.

    Args:
        command: The program and its arguments. {NAME} stands for the setting of that name in args or files; {seed},
            {folder} and {device} are the trial's.
        args: The settings, by name. Each can be varied and searched, as program.args.NAME.
        files: Files and folders, by name: the program's source, its data. Their content is part of a trial's identity,
            and {NAME} is the absolute path.
        resume: Arguments that are added where a trial goes on; {state} is the path of its state.
        metrics: Where the program writes its metrics: stdout, or the name of a file in {folder}, to which it appends.
        schema: A file with the JSON Schema of args, which is checked before anything runs; none for no such file.
    """
    given = {**files, **args, "seed": run.seed, "folder": run.folder, "device": run.device}
    arguments = filled(command, given)
    if run.state is not None:
        arguments += filled(resume, {**given, STATE: run.state})
    appended = None if metrics == STDOUT else Appended(Path(run.folder) / metrics)
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    printed = Printed(process.stdout, sys.stdout, is_metrics=appended is None)
    complaints = Printed(process.stderr, sys.stderr, is_metrics=False)
    _follow(process, appended or printed, run)
    complaints.rest()
    if process.returncode != 0:
        raise CommandError(_end(arguments, process.returncode, complaints.last or printed.last))


def _follow(process: "subprocess.Popen[bytes]", source: Source, run: "Run") -> None:
    """Pass on what a program reports until it ends. It ends with what is raised here."""
    try:
        for report in reports(lambda: process.poll() is not None, source):
            _pass_on(report, run)
    except BaseException as error:
        is_finished = getattr(error, "reason", None) == "early-stopping"
        for report in _terminated(process, source, _GRACE_S if is_finished else _INTERRUPTED_GRACE_S):
            if is_finished and report.is_final:
                _pass_on(report, run)
        raise


def _pass_on(report: Report, run: "Run") -> None:
    if report.is_final:
        run.finish(report.metrics)
    else:
        state = None if report.state is None else Path(run.folder) / report.state
        run.report(report.metrics, state=state, step=report.step)


def _terminated(process: "subprocess.Popen[bytes]", source: Source, grace_s: float) -> list[Report]:
    """End a program; what it reports until then."""
    process.terminate()
    killer = threading.Timer(grace_s, process.kill)
    killer.start()
    try:
        return list(reports(lambda: process.poll() is not None, source))
    finally:
        killer.cancel()


def _end(arguments: list[str], code: int, last: str) -> str:
    how = f"exit code {code}"
    if code < 0:
        try:
            how = signal.Signals(-code).name
        except ValueError:
            how = f"signal {-code}"
    return f"{arguments[0]} ended with {how}{': ' if last else ''}{last}"
