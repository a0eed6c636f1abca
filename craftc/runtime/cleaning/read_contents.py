"""Lists the trials, runs and prepared data of a runs folder, each with its size and with what refers to it."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from craftc.runtime.cleaning.disk_usage import File, files_of, total_size
from craftc.runtime.cleaning.references import PLAN, RESULTS, STORE, References
from craftc.runtime.store.driver_process import is_alive, is_here, read_driver
from craftc.runtime.store.run_folder import runs_of
from craftc.runtime.store.store import Store
from craftc.schemas.store_contents import (
    Contents,
    ExperimentContents,
    RunLife,
    StoredRun,
    StoredTrial,
    TrialState,
    TrialTotals,
)

PREPARED = "prepared"
COMPILED = ("compiled", "batching")
"""Compiled steps, and what was measured of them and of batches; see `compile_finding.py` and `batch_findings.py`."""
CHECKPOINTS = "checkpoints"
REMOVING = ".removing-"
"""What is removed gets a name that begins so first: a kill in the middle leaves that, and nothing half there."""

_TORN = re.compile(r"\.[0-9a-f]{64}\..*")
_TRIAL = re.compile(r"[0-9a-f]{64}")
_IN_CHECKPOINTS = re.compile(rf"/[0-9a-f]{{64}}/{CHECKPOINTS}/")


@dataclass(frozen=True)
class Shelf:
    """All that a runs folder holds. `prepared` maps a name to whether a run or a spec names it; `runs` and `trials`
    are keyed by their folders' names, a run's with its experiment; `named` is what the files of each run name.
    `torn` are folders in which a killed process had begun to prepare data."""

    runs_dir: Path
    contents: Contents
    trials: dict[str, StoredTrial]
    runs: dict[str, StoredRun]
    named: dict[Path, frozenset[str]]
    prepared: dict[str, bool]
    torn: tuple[Path, ...]
    leftovers: tuple[Path, ...]

    @property
    def store(self) -> Store:
        """Where the trials are."""
        return Store(self.runs_dir / STORE)


def read_contents(runs_dir: Path, in_specs: frozenset[str] = frozenset()) -> Shelf:
    """Read a folder that exists. `in_specs` are fingerprints that specs name which no run may have.

    Raises OSError where something cannot be read.
    """
    store = Store(runs_dir / STORE)
    named = References(runs_dir).by_run()
    experiments = _experiments(named)
    journals = [_last_words(run / RESULTS) for run in sorted(named, key=lambda run: run.name)]
    said: dict[str, TrialState] = {trial: state for journal in journals for trial, state in journal.items()}
    files: dict[str, list[File]] = {path.name: list(files_of(path)) for path in _trial_folders(store)}
    trials = {
        trial: _trial(trial, of_trial, store, said, experiments.get(trial, ()), trial in in_specs)
        for trial, of_trial in files.items()
    }
    runs = {f"{run.experiment}/{run.name}": run for run in _runs(runs_dir, store)}
    prepared = {
        path.name: path.name in experiments or path.name in in_specs for path in _folders(store.root / PREPARED)
    }
    leftovers = tuple(_leftovers(runs_dir))
    contents = Contents(
        size=total_size(files_of(runs_dir)),
        experiments=tuple(_experiment(name, runs.values(), trials.values(), files) for name in _names(runs, trials)),
        trials=_totals(trials.values(), files),
        orphaned_trials=_totals((trial for trial in trials.values() if trial.is_orphaned), files),
        orphaned=tuple(trial.id for trial in trials.values() if trial.is_orphaned),
        prepared=len(prepared),
        prepared_size=total_size(files_of(store.root / PREPARED)),
        compiled_size=total_size(file for name in COMPILED for file in files_of(store.root / name)),
        leftovers_size=total_size(file for path in leftovers for file in files_of(path)),
    )
    return Shelf(runs_dir, contents, trials, runs, named, prepared, tuple(_torn(store.root / PREPARED)), leftovers)


def life_of(run: Path, store: Store) -> RunLife:
    """Whether the run's driver lives. One on another machine is taken to have ended when all trials have."""
    driver = read_driver(run)
    if driver is None:
        return "ended"
    if is_here(driver):
        return "running" if is_alive(driver) else "ended"
    try:
        trials = [trial["id"] for trial in json.loads((run / PLAN).read_bytes())["trials"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"
    failed = {trial for trial, state in _last_words(run / RESULTS).items() if state == "failed"}
    return "ended" if all(trial in failed or store.is_finished(trial) for trial in trials) else "unknown"


def checkpoint_files(trial: Path, which: Literal["last", "all"]) -> list[Path]:
    """The files of a trial's last checkpoint or of all, those of a killed writer too, as they may go. The state of a
    program may be a folder.

    The last before the best, which is the one to keep, and each before its digest, without which it is worth nothing.
    """
    folder = trial / CHECKPOINTS
    if not folder.is_dir() or folder.is_symlink():
        return []

    def is_last(path: Path) -> bool:
        return path.name.lstrip(".").startswith("last.pt")

    files = [path for path in folder.iterdir() if which == "all" or is_last(path)]
    return sorted(files, key=lambda path: (not is_last(path), path.suffix == ".sha256", path.name))


def _trial(
    trial: str, files: list[File], store: Store, said: Mapping[str, TrialState], names: Iterable[str], in_specs: bool
) -> StoredTrial:
    return StoredTrial(
        id=trial,
        state="finished" if store.is_finished(trial) else said.get(trial, "unfinished"),
        size=total_size(files),
        checkpoints_size=total_size(file for file in files if _is_checkpoint(file)),
        changed_at=max((file.changed_at for file in files), default=0.0),
        experiments=tuple(sorted(names)),
        in_specs=in_specs,
    )


def _runs(runs_dir: Path, store: Store) -> Iterator[StoredRun]:
    for folder in _folders(runs_dir):
        if folder.name == STORE:
            continue
        for path in runs_of(folder):
            if path.is_symlink():
                continue
            files = list(files_of(path))
            yield StoredRun(
                experiment=folder.name,
                name=path.name,
                size=total_size(files),
                changed_at=max((file.changed_at for file in files), default=0.0),
                life=life_of(path, store),
            )


def _experiments(named: Mapping[Path, frozenset[str]]) -> dict[str, set[str]]:
    """Fingerprint to the experiments whose runs name it."""
    found: dict[str, set[str]] = defaultdict(set)
    for run, fingerprints in named.items():
        for fingerprint in fingerprints:
            found[fingerprint].add(run.parent.name)
    return found


def _names(runs: Mapping[str, StoredRun], trials: Mapping[str, StoredTrial]) -> list[str]:
    of_trials = (name for trial in trials.values() for name in trial.experiments)
    return sorted({*(run.experiment for run in runs.values()), *of_trials})


def _experiment(
    name: str, runs: Iterable[StoredRun], trials: Iterable[StoredTrial], files: Mapping[str, list[File]]
) -> ExperimentContents:
    own = [run for run in runs if run.experiment == name]
    return ExperimentContents(
        name=name,
        num_runs=len(own),
        num_running=sum(run.life == "running" for run in own),
        runs_size=sum(run.size for run in own),
        trials=_totals((trial for trial in trials if name in trial.experiments), files),
    )


def _totals(trials: Iterable[StoredTrial], files: Mapping[str, list[File]]) -> TrialTotals:
    listed = list(trials)
    states = [trial.state for trial in listed]
    every = [file for trial in listed for file in files[trial.id]]
    return TrialTotals(
        finished=states.count("finished"),
        failed=states.count("failed"),
        pruned=states.count("pruned"),
        unfinished=states.count("unfinished"),
        size=total_size(every),
        checkpoints_size=total_size(file for file in every if _is_checkpoint(file)),
    )


def _is_checkpoint(file: File) -> bool:
    # Right below the folder of a trial: what a program keeps in its own may be called the same.
    return _IN_CHECKPOINTS.search(file.path) is not None


def _last_words(results: Path) -> dict[str, TrialState]:
    """What a run's journal says last of each trial that failed or was pruned. Lines that cannot be read say nothing."""
    said: dict[str, TrialState] = {}
    if not results.is_file():
        return said
    for line in results.read_bytes().splitlines():
        event = _json(line)
        kind, trial = event.get("type"), event.get("trial")
        if kind in ("failed", "pruned") and isinstance(trial, str):
            said[trial] = kind
    return said


def _json(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _trial_folders(store: Store) -> list[Path]:
    return [path for path in _folders(store.root) if _TRIAL.fullmatch(path.name)]


def _folders(parent: Path) -> list[Path]:
    """Not hidden, and no links."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        names = [each.name for each in entries if each.name[0] != "." and each.is_dir(follow_symlinks=False)]
    return [parent / name for name in sorted(names)]


def _torn(prepared: Path) -> Iterator[Path]:
    if prepared.is_dir():
        yield from sorted(path for path in prepared.iterdir() if _TORN.fullmatch(path.name) and path.is_dir())


def _leftovers(runs_dir: Path) -> Iterator[Path]:
    for parent in (runs_dir / STORE, runs_dir / STORE / PREPARED, *_folders(runs_dir)):
        if parent.is_dir():
            yield from sorted(path for path in set(parent.iterdir()) if path.name.startswith(REMOVING))
