"""Reads the trials of the latest run of a name."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from craftc.runtime.store.run_folder import runs_of
from craftc.training.foundation.seal import unsealed


@dataclass(frozen=True)
class LastTrial:
    """A trial as a run's plan has it."""

    id: str
    variant: str
    seed: int
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LastRun:
    """The latest run of a name."""

    name: str
    trials: tuple[LastTrial, ...]


def read_last_run(runs_dir: Path, name: str) -> LastRun | None:
    """The latest run of that name; None where there is none, or its plan is not one that can be read."""
    runs = runs_of(runs_dir / name)
    if not runs:
        return None
    try:
        plan: dict[str, Any] = json.loads(unsealed((runs[-1] / "plan.json").read_bytes()).content)
        # As plain JSON: of a large plan, most is not asked for, and to check it takes longer than to read it.
        trials = tuple(
            LastTrial(str(t["id"]), str(t["variant"]), int(t["seed"]), dict(t["config"])) for t in plan["trials"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return LastRun(runs[-1].name, trials)
