"""The trackers that a spec asks for, and what `craftc run` reports of them."""

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from craftc.cli.inputs.compile_file import CompiledFile
from craftc.cli.show_diagnostics import count

if TYPE_CHECKING:
    from craftc.runtime.observers.observer import Observer, Warn
    from craftc.runtime.store.run_folder import RunFolder
    from craftc.runtime.store.store import Store


def trackers(
    compiled: CompiledFile, store: "Store", folder: "RunFolder", warn: "Warn", *, with_wandb: bool = True
) -> "list[Observer]":
    """The trackers that the spec asks for, each shielded: what it raises is a warning."""
    from craftc.runtime.observers.background_observer import InBackground
    from craftc.runtime.observers.factors import factors_of

    asked_for: list[Observer] = []
    asked = compiled.spec.report
    factors = factors_of(compiled.spec, compiled.plan)
    if asked.tensorboard:
        from craftc.runtime.observers.tensorboard_writer import TensorboardWriter

        writer = TensorboardWriter(store=store, folder=folder.path / "tensorboard", factors=factors)
        asked_for.append(InBackground(writer, name="TensorBoard", warn=warn))
    if asked.wandb is not None and with_wandb:
        from craftc.runtime.observers.wandb_mode import resolve_mode
        from craftc.runtime.observers.wandb_tracker import WandbTracker

        mode = resolve_mode(asked.wandb.mode, os.environ, warn)
        if mode != "disabled":
            tracker = WandbTracker(asked.wandb, mode=mode, store=store, folder=folder.path, factors=factors, warn=warn)
            asked_for.append(InBackground(tracker, name="W&B", warn=warn))
        elif asked.wandb.sweep:
            warn("W&B is disabled, so there is no sweep")
    return asked_for


def tell_of_reused(compiled: CompiledFile, store: "Store", folder: "RunFolder") -> None:
    """A run that trains nothing writes its TensorBoard files, and a W&B sweep where its trials were in none before."""
    from craftc.runtime.observers.wandb_record import in_earlier_sweep
    from craftc.runtime.work.redirect import output_to

    asked = compiled.spec.report
    new_sweep = asked.wandb is not None and asked.wandb.sweep and not in_earlier_sweep(compiled.plan, folder.path)
    if not (asked.tensorboard or new_sweep):
        return
    with output_to(folder.log) as terminal, ExitStack() as stack:

        def warn(text: str) -> None:
            click.echo(f"warning: {text}", file=terminal.stderr)

        for tracker in trackers(compiled, store, folder, warn, with_wandb=new_sweep):
            stack.callback(tracker.close)
            tracker.start(compiled.plan, folder.run_name)


def tell_of_wandb(folder: "RunFolder") -> None:
    """Say where the sweep is, and how to upload what W&B does not have."""
    from craftc.runtime.observers.wandb_record import read_record

    record = read_record(folder.path)
    if record is None:
        return
    if record.sweep_id is not None:
        place = "/".join(part for part in (record.entity, record.settings.project) if part)
        click.echo(f"W&B: the sweep is {place}/sweeps/{record.sweep_id}", err=True)
    if record.num_waiting:
        sweep = ", and makes their sweep" if record.sweep is not None and record.sweep_id is None else ""
        run = f"{folder.path.parent.name}/{folder.run_name}"
        kept = f"{count(record.num_waiting, 'run')} kept offline"
        click.echo(f"W&B: {kept}; `craftc sync {run}` uploads what is kept{sweep}", err=True)
