"""An error of the runtime as the one line that the user reads."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from click.exceptions import Exit

from craftc.runtime.jobs.backend import BackendError


@contextmanager
def plain_failures() -> Iterator[None]:
    """Tell a BackendError on standard error, and end with 1."""
    try:
        yield
    except BackendError as error:
        click.echo(f"error[{error.code}]: {error.message}", err=True)
        raise Exit(1) from None
