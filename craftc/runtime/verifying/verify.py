"""Checks a runs folder, or one run of it, and mends what can be mended."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from craftc.runtime.store.run_folder import runs_of
from craftc.runtime.store.store import Store
from craftc.runtime.verifying.check_run import DIGESTS, check_digests, check_run, read_plan
from craftc.runtime.verifying.check_trial import check_trial
from craftc.runtime.verifying.finding import Finding, damaged, sound
from craftc.runtime.verifying.mend import Known, mend_shared, mend_trial
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.store_health import CheckedFile, Health

_TRIAL = re.compile(r"[0-9a-f]{64}")


def verify(runs_dir: Path, run: Path | None = None, *, fix: bool = False) -> Health:
    """Check all runs, trials and prepared data beneath a folder, or those of one `run`. Raises OSError."""
    store = Store(runs_dir / "store")
    runs = _all_runs(runs_dir) if run is None else [run]
    plan = None if run is None else read_plan(run)
    trials = _folders(store.root) if run is None else _trials_of(store, plan)
    prepared = _folders(store.prepared) if run is None else _prepared_of(store, plan)
    of_trials = [list(check_trial(folder)) for folder in trials]
    shared = [finding for each in runs for finding in check_run(each)]
    shared += [finding for folder in prepared for finding in _check_prepared(folder)]
    shared += check_digests(store.root / DIGESTS)
    ended: dict[Path, str | None] = {}
    if fix:
        known = _trial_in(_all_runs(runs_dir))
        for findings in of_trials:
            if bad := [finding for finding in findings if finding.state != "sound"]:
                ended |= {finding.path: reason for finding, reason in mend_trial(store, bad, known)}
        ended |= {finding.path: mend_shared(finding) for finding in shared if finding.state != "sound"}
    found = [finding for findings in [*of_trials, shared] for finding in findings]
    return Health(
        runs_dir=str(runs_dir),
        trials=len(trials),
        runs=len(runs),
        prepared=len(prepared),
        sound=sum(finding.state == "sound" for finding in found),
        files=tuple(_files(found, runs_dir, ended)),
    )


def _files(found: Iterable[Finding], runs_dir: Path, ended: dict[Path, str | None]) -> Iterator[CheckedFile]:
    for finding in found:
        if finding.state != "sound":
            inside = finding.path.is_relative_to(runs_dir)
            yield CheckedFile(
                path=str(finding.path.relative_to(runs_dir) if inside else finding.path),
                state=finding.state,
                fault=finding.fault,
                mend=finding.mend,
                mended=finding.path in ended and ended[finding.path] is None,
                left_because=ended.get(finding.path),
            )


def _check_prepared(folder: Path) -> Iterator[Finding]:
    # Lazily: numpy, which a store without prepared data does not need.
    from craftc.training.data.prepared_files import MANIFEST, Shelf, UnusableError, check_shelf

    try:
        yield sound(folder / MANIFEST, is_sealed=check_shelf(Shelf(folder.parent, folder.name)))
    except UnusableError as error:
        yield damaged(folder, error, "remove")


def _trial_in(runs: list[Path]) -> Known:
    @cache
    def trials() -> dict[str, Trial]:
        plans = (plan for run in runs if (plan := read_plan(run)) is not None)
        return {trial.id: trial for plan in plans for trial in plan.trials}

    return lambda trial: trials().get(trial)


def _all_runs(runs_dir: Path) -> list[Path]:
    return [run for folder in sorted(runs_dir.glob("*")) if folder.is_dir() for run in runs_of(folder)]


def _folders(root: Path) -> list[Path]:
    """Those that a fingerprint names."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if _TRIAL.fullmatch(path.name) and path.is_dir())


def _trials_of(store: Store, plan: Plan | None) -> list[Path]:
    trials = () if plan is None else plan.trials
    return [folder for trial in trials if (folder := store.folder(trial.id)).is_dir()]


def _prepared_of(store: Store, plan: Plan | None) -> list[Path]:
    stages = [trial.stages for trial in (() if plan is None else plan.trials) if trial.stages is not None]
    names = dict.fromkeys(name for each in stages for name in (each.prepare, each.features) if name is not None)
    return [folder for name in names if (folder := store.prepared / name).is_dir()]
