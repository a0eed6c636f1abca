"""What the store and the last run add to a plan for the person who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from craftc.cli.inputs.machine import this_machine
from craftc.cli.plan_view.batches import Group, groups_of
from craftc.cli.plan_view.changes import replacements
from craftc.cli.plan_view.power import Power, power_of
from craftc.compiler.planning.forecast import forecast
from craftc.runtime.store.batch_findings import findings_in
from craftc.runtime.store.last_run import LastTrial, read_last_run
from craftc.runtime.store.past_trials import epochs_done, read_past
from craftc.runtime.store.store import Store
from craftc.schemas.forecast import Forecast
from craftc.schemas.plan import Plan


@dataclass(frozen=True)
class Outlook:
    """`done`: the epochs that unfinished trials have behind them, by trial. `orphaned`: trials that the last run of the
    plan's name had, and the plan has no more; `replaced` says why, by them and by those that stand in their places.
    `groups`: what becomes of trainings that could be one batch. `power`: which differences the seeds can see.
    """

    done: Mapping[str, int]
    orphaned: tuple[LastTrial, ...]
    forecast: Forecast
    groups: tuple[Group, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    power: Power | None = None


def look_out(plan: Plan, runs_dir: Path) -> Outlook:
    """What is known of a plan beneath `runs_dir`, and on this machine."""
    store = Store(runs_dir / "store")
    done = epochs_done(store, [trial.id for trial in plan.trials if trial.status == "new"])
    reused = [trial.id for trial in plan.trials if trial.status == "reused"]
    is_work = len(reused) < len(plan.trials) or plan.search is not None
    past = read_past(store, reused) if is_work else []
    last_run = read_last_run(runs_dir, plan.name)
    planned = {trial.id for trial in plan.trials}
    orphaned = [trial for trial in last_run.trials if trial.id not in planned] if last_run else []
    groups = groups_of(plan, findings_in(store, plan.import_folders))
    estimate = forecast(plan, past, done, this_machine())
    return Outlook(done, tuple(orphaned), estimate, groups, replacements(plan, orphaned), power_of(plan, store))
