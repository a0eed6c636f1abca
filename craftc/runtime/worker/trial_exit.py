"""Turns a call of `sys.exit` by a trial's code into an error of that trial, which would else end the whole process."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from craftc.components.own_line import CRAFTC
from craftc.training.foundation.errors import TrainingError

T = TypeVar("T")


def exits_as_errors(events: Iterator[T]) -> Iterator[T]:
    """The same events. Raises TrainingError `trial-exited` in the place of a SystemExit of the user's code."""
    try:
        yield from events
    except SystemExit as error:
        raise exit_as_error(error)  # noqa: B904 (it has its cause)


def exit_as_error(error: SystemExit) -> TrainingError:
    """What a trial fails with. Raises `error` again where craftc or Ray ends this process by it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = Path(frames[-1].f_code.co_filename) if frames else CRAFTC
    if last.is_relative_to(CRAFTC) or "ray" in last.parts:
        raise error
    found = TrainingError("trial-exited", f"its code called sys.exit({error.code!r})")
    found.__cause__ = error  # which knows the line
    return found
