"""Makes a sentence and an exit code of faults that are neither the spec's nor a trial's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.exceptions import ClickException, Exit

from craftc.disk_full import is_disk_full, place_of
from craftc.secret_text import masked

DISK_FULL = 5


@contextmanager
def own_faults_told(runs_dir: Path) -> Iterator[None]:
    """Within it, a full disk and a call of sys.exit in the user's code are one sentence each."""
    from craftc.components.own_line import told
    from craftc.runtime.worker.trial_exit import exit_as_error

    kept = f"what was trained is kept in {runs_dir / 'store'}"
    try:
        yield
    except (ClickException, Exit):
        raise
    except SystemExit as error:
        click.echo(f"error[trial-exited]: {masked(told(exit_as_error(error)))}; {kept}", err=True)
        raise Exit(1) from None
    except Exception as error:
        if not is_disk_full(error):
            raise
        place = place_of(error) or runs_dir
        way = "make room, which craftc clean helps with, and run the same command again"
        click.echo(f"error[disk-full]: no space is left for {place}; {kept}; {way}", err=True)
        raise Exit(DISK_FULL) from None
