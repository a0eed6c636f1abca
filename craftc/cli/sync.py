"""craftc sync: upload what trackers kept offline."""

import os
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN, command, runs_dir
from craftc.cli.show_diagnostics import count
from craftc.secret_text import masked


@command()
@click.argument("run", type=RUN, help="A run's folder, NAME/RUN, or NAME for its latest run.")
@runs_dir
def sync(run: str, runs_dir: Path) -> None:
    """Upload the W&B runs that a run kept offline, or that W&B did not take, and make their sweep.

    What W&B has is recorded in the run's folder and never uploaded twice. Needs an API key: WANDB_API_KEY or
    `wandb login`. Exit 0 when W&B has everything, 1 when it does not, 2 when there is nothing for W&B.

    Example: `craftc sync vit-ablation`
    """
    from pydantic import ValidationError

    from craftc.runtime.observers.wandb_mode import has_api_key
    from craftc.runtime.observers.wandb_record import read_record
    from craftc.runtime.observers.wandb_sync import SyncError, sync_run
    from craftc.runtime.store.run_folder import RunFolder, find_run
    from craftc.runtime.store.store import Store
    from craftc.runtime.worker.redirect import output_to
    from craftc.training.foundation.seal import DamagedError

    try:
        folder = RunFolder(find_run(run, runs_dir))
    except FileNotFoundError as error:
        click.echo(str(error), err=True)
        raise Exit(2) from None
    # What kept nothing needs no key to be told so.
    if read_record(folder.path) is not None and not has_api_key(os.environ):
        click.echo("error[wandb-no-key]: there is no W&B API key: set WANDB_API_KEY or run `wandb login`", err=True)
        raise Exit(1)
    try:
        with output_to(folder.log) as terminal:
            store = Store(folder.path.parent.parent / "store")
            synced = sync_run(
                folder, store, warn=lambda text: click.echo(f"warning: {masked(text)}", file=terminal.stderr)
            )
    except (DamagedError, ValidationError) as error:
        click.echo(f"{folder.path / 'plan.json'} is damaged, so nothing is known of the run; craftc verify", err=True)
        raise Exit(1) from error
    except SyncError as error:
        click.echo(f"error[{error.code}]: {masked(error.message)}", err=True)
        raise Exit(2 if error.code == "wandb-nothing-kept" else 1) from None
    except TimeoutError as error:
        click.echo(str(error), err=True)
        raise Exit(1) from None
    told = f"W&B has {count(synced.num_runs, 'run')} of {folder.path.parent.name}/{folder.run_name}"
    click.echo(f"{told}: {synced.num_uploaded} uploaded now, {synced.num_runs - synced.num_uploaded} before")
    if synced.sweep_id is not None:
        click.echo(f"sweep {synced.sweep_id}, made {'now' if synced.made_sweep else 'before'}")
