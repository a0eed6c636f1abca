"""Says in one sentence how a program's process ended where it did not end well."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from craftc.training.foundation.errors import TrainingError


class ProgramError(TrainingError):
    """A program that came to no result. `output` is what there is to read of it besides, such as its traceback."""

    def __init__(self, code: str, message: str, epoch: int | None = None, output: str = "") -> None:
        super().__init__(code, message, epoch)
        if output:
            self.add_note(output)


def went_on(epoch: int) -> ProgramError:
    """The error of a program that did not end when it was stopped."""
    return ProgramError(
        "program-went-on",
        f"the program was stopped at record {epoch} and went on reporting; let craftc.Stopped pass through",
        epoch,
    )


def check_end(message: Mapping[str, Any] | None, code: int | None, epoch: int, log: Path) -> None:
    """Raise a ProgramError unless the function returned, or let craftc.Stopped pass through.

    `message` is what the process said last, None where it said nothing; `code` its exit code, negative for a signal;
    `log` has what it printed.
    """
    kind = None if message is None else message["type"]
    if kind in ("returned", "stopped"):
        return
    at = epoch or None
    when = f"after record {epoch}" if epoch else "before its first record"
    if message is not None and kind == "failed":
        output = f"In the program:\n{message['traceback']}"
        raise ProgramError(message["code"], message["message"], at, output)
    if message is not None and kind == "exit":
        raise ProgramError(
            "program-exited", f"the program called sys.exit({message['argument']}) {when}{_in(message)}", at
        )
    if code is None:
        text = f"the program closed its connection to craftc {when}, and did not end; see {log}"
    elif code < 0:
        text = f"the program was ended {when} by {_signal(-code)}; see {log}"
    else:
        text = f"the program exited with code {code} {when}, without a return of its function; see {log}"
    raise ProgramError("program-exited", text, at)


def _in(message: Mapping[str, Any]) -> str:
    return f" ({message['place']})" if message["place"] else ""


def _signal(number: int) -> str:
    """A signal by its name, with what it mostly means."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return f"{name}, which the system sends where memory runs out"
    if number == signal.SIGSEGV:
        return f"{name}, an invalid access to memory in compiled code"
    return name
