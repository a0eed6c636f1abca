"""The command `craftc` with passes of its compiler left out, so that what each is worth can be measured.

    python benchmarks/without.py share,batch run spec.yaml

A pass that is left out does nothing. Without `fold`, equal trials get an identity each, or the store would fold them;
without `pack`, each training is a job of its own. Nobody but a benchmark has a use for this: a run without a pass comes
to the same results later.
"""

import hashlib
import sys
from collections.abc import Callable
from typing import Any

from craftc.__main__ import start
from craftc.compiler import pipeline
from craftc.schemas.plan import JobResources, Plan


def unfolded(plan: Plan) -> Plan:
    """Every trial that the spec names, under an identity of its own."""
    seen: set[str] = set()
    trials = []
    for trial in plan.trials:
        if trial.id in seen:
            own = hashlib.sha256(f"{trial.id}/{trial.variant}".encode()).hexdigest()
            trial = trial.model_copy(update={"id": own})
        seen.add(trial.id)
        trials.append(trial)
    return plan.model_copy(update={"trials": tuple(trials)})


def unpacked(plan: Plan, resources: JobResources, *given: Any) -> Plan:
    """A job for each training."""
    return pack(plan, resources)


def unchanged(plan: Plan, *given: Any) -> Plan:
    """The pass did nothing."""
    return plan


pack = pipeline.pack
INSTEAD: dict[str, Callable[..., Plan]] = {
    "fold": unfolded,
    "share": unchanged,
    "batch": unchanged,
    "pack": unpacked,
    "place": unchanged,
}


def leave_out(names: str) -> None:
    """Have this process compile without the passes, named with commas between."""
    for name in filter(None, names.split(",")):
        if name not in INSTEAD or not hasattr(pipeline, name):
            sys.exit(f'no pass "{name}"; expected some of {", ".join(INSTEAD)}')
        setattr(pipeline, name, INSTEAD[name])


if __name__ == "__main__":
    leave_out(sys.argv.pop(1))
    start()
