"""Shows diagnostics and errors of the runtime: coloured in a terminal, plain elsewhere."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

import click
from click.exceptions import Exit

from craftc.compiler.render.text import WIDTH, Style, plain, render_text
from craftc.schemas.diagnostic import Diagnostic

_COLOURS: dict[Style, dict[str, object]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"fg": "blue", "bold": True},
    "place": {"bold": True},
    "caret": {"fg": "green", "bold": True},
    "hint": {"fg": "cyan"},
}


def _paint(text: str, style: Style) -> str:
    return click.style(text, **_COLOURS[style])  # type: ignore[arg-type]


def show_diagnostics(
    diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], stream: IO[str], *, marks_fixes: bool = False
) -> None:
    """Print the text form, if there is anything to tell."""
    if diagnostics:
        coloured = is_coloured(stream)
        width = shutil.get_terminal_size().columns if stream.isatty() else WIDTH
        paint = _paint if coloured else plain
        shown = render_text(diagnostics, texts, paint, width, marks_fixes=marks_fixes)
        click.echo(shown, file=stream, color=coloured)


def is_coloured(stream: IO[str]) -> bool:
    """Whether colours are wanted on a stream: no by NO_COLOR, else yes by FORCE_COLOR, else no for a terminal that
    knows none (TERM=dumb) and for what is no terminal. Python's own messages go by the same order."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`, `3,000 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`, and the notes where there are any."""
    numbers = Counter(diagnostic.severity for diagnostic in diagnostics)
    notes = f", {count(numbers['note'], 'note')}" if numbers["note"] else ""
    return f"{count(numbers['error'], 'error')}, {count(numbers['warning'], 'warning')}{notes}"


@contextmanager
def plain_failures() -> Iterator[None]:
    """Report a BackendError in one line on standard error, and end with 1."""
    # Lazily: linting never needs it.
    from craftc.runtime.jobs.backend import BackendError

    try:
        yield
    except BackendError as error:
        click.echo(f"error[{error.code}]: {error.message}", err=True)
        raise Exit(1) from None
