"""The contents of a runs folder, their sizes, and what is to be removed of them.

These values are what `craftc clean --format json` prints; `format_version` changes with their shape. Sizes are in
bytes; hard links to one file count once within each number.
"""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List

TrialState = Literal["finished", "failed", "pruned", "unfinished"]
"""`failed` and `pruned` as the latest run said that ended it; such a trial may yet be gone on with."""

RunLife = Literal["running", "ended", "unknown"]
"""`unknown`: its driver is on another machine, and not all of its trials have ended."""

RemovalKind = Literal["leftover", "run", "trial", "last-checkpoint", "all-checkpoints", "prepared", "compiled"]
"""`leftover`: what an interrupted removal left. Of a finished trial's checkpoints either the last or all go."""


class StoredTrial(Frozen):
    """A trial's folder. `experiments` are those whose runs name it; `in_specs`: a spec that was given asks for it."""

    id: str
    state: TrialState
    size: int = Field(ge=0)
    checkpoints_size: int = Field(ge=0)
    changed_at: float
    experiments: List[str] = ()
    in_specs: bool = False

    @property
    def is_orphaned(self) -> bool:
        """No run and no spec names it."""
        return not self.experiments and not self.in_specs


class StoredRun(Frozen):
    """A run's folder, `<experiment>/<name>`."""

    experiment: str
    name: str
    size: int = Field(ge=0)
    changed_at: float
    life: RunLife


class TrialTotals(Frozen):
    """Trials by state, and their sizes. A trial that two experiments name is in the totals of both."""

    finished: int = 0
    failed: int = 0
    pruned: int = 0
    unfinished: int = 0
    size: int = 0
    checkpoints_size: int = 0


class ExperimentContents(Frozen):
    """All runs of one name, and the trials that they name."""

    name: str
    num_runs: int
    num_running: int
    runs_size: int
    trials: TrialTotals


class Contents(Frozen):
    """A runs folder. `orphaned` are the ids of the trials that no run and no given spec names.

    `prepared_size` is that of data prepared once for several trials, `compiled_size` that of compiled steps and of what
    was measured, `leftovers_size` that of what an interrupted removal left; `size` is that of the whole folder.
    """

    size: int
    experiments: List[ExperimentContents]
    trials: TrialTotals
    orphaned_trials: TrialTotals
    orphaned: List[str]
    prepared: int = 0
    prepared_size: int = 0
    compiled_size: int = 0
    leftovers_size: int = 0


class Removal(Frozen):
    """Something that is to go. `path` starts from the runs folder; `name` is what it is of: a trial, a run.

    `size` is that of its files, of which hard links elsewhere may keep some.
    """

    kind: RemovalKind
    path: str
    name: str
    size: int = Field(ge=0)


class Skipped(Frozen):
    """Something that was to go and stayed."""

    removal: Removal
    reason: str


class Cleaning(Frozen):
    """What `craftc clean` found and did. `freed` counts what goes with `planned`; `removed` is empty where nothing was
    to be removed yet."""

    format_version: Literal["1.0"] = "1.0"
    runs_dir: str
    contents: Contents
    planned: List[Removal] = ()
    freed: int = 0
    removed: List[Removal] = ()
    skipped: List[Skipped] = ()
