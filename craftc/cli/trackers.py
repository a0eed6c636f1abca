"""The trackers that a spec asks for, and what `craftc run` reports of them."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from craftc.cli.inputs.compile_file import CompiledFile
from craftc.cli.show_diagnostics import count
from craftc.secret_text import masked

if TYPE_CHECKING:
    from craftc.runtime.observers.observer import Observer, Warn
    from craftc.runtime.store.run_folder import RunFolder
    from craftc.runtime.store.store import Store


def trackers(compiled: CompiledFile, store: "Store", folder: "RunFolder", warn: "Warn") -> "list[Observer]":
    """The trackers that the spec asks for, each shielded: what it raises is a warning."""
    asked = compiled.spec.report.trackers
    if not asked:
        return []
    from craftc.runtime.observers.factors import factors_of
    from craftc.runtime.observers.make_trackers import make_trackers
    from craftc.runtime.observers.tracked_run import TrackedRun
    from craftc.runtime.worker.own_code import make_importable

    make_importable(compiled.plan.import_folders)
    run = TrackedRun(folder.path, store, factors_of(compiled.spec, compiled.plan), warn)
    return make_trackers(asked, run)


def tell_of_reused(compiled: CompiledFile, store: "Store", folder: "RunFolder") -> None:
    """Report a run that trains nothing to its trackers: what was trained before is new to some of them."""
    from craftc.runtime.worker.redirect import output_to

    if not compiled.spec.report.trackers:
        return
    with output_to(folder.log) as terminal, ExitStack() as stack:

        def warn(text: str) -> None:
            click.echo(f"warning: {masked(text)}", file=terminal.stderr)

        for tracker in trackers(compiled, store, folder, warn):
            stack.callback(tracker.close)
            tracker.start(compiled.plan, folder.run_name)


def tell_of_wandb(folder: "RunFolder") -> None:
    """Say where the sweep is, and how to upload what W&B does not have."""
    from craftc.runtime.observers.wandb_record import read_record
    from craftc.runtime.store.shown_command import shown_command

    record = read_record(folder.path)
    if record is None:
        return
    if record.sweep_id is not None:
        place = "/".join(part for part in (record.entity, record.settings.project) if part)
        click.echo(f"W&B: the sweep is {place}/sweeps/{record.sweep_id}", err=True)
    if record.num_waiting:
        sweep = ", and makes their sweep" if record.sweep is not None and record.sweep_id is None else ""
        run = f"{folder.path.parent.name}/{folder.run_name}"
        sync = shown_command("sync", run, runs_dir=folder.path.parent.parent)
        kept = f"{count(record.num_waiting, 'run')} kept offline"
        click.echo(f"W&B: {kept}; `{sync}` uploads what is kept{sweep}", err=True)
