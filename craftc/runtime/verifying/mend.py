"""Mends what is found damaged in a runs folder, so that the next run goes on from what is sound."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from craftc.runtime.store.store import Store, config_content
from craftc.runtime.verifying.check_run import RESOLVED
from craftc.runtime.verifying.check_trial import check_trial
from craftc.runtime.verifying.finding import Finding
from craftc.schemas.plan import Trial
from craftc.training.foundation.atomic_file import write_atomically, write_together
from craftc.training.foundation.seal import sealed_json, sealed_yaml
from craftc.training.state.history import FILENAME as HISTORY
from craftc.training.state.history import history_content, read_history
from craftc.training.state.result_file import FILENAME as RESULT
from craftc.training.state.result_file import read_result, result_content

DAMAGED = ".damaged"
Known = Callable[[str], Trial | None]
"""The trial of a fingerprint, as a sound plan has it."""


class LeftError(Exception):
    """A file stays as it is; the message says why."""


def mend_trial(store: Store, findings: list[Finding], known: Known) -> Iterator[tuple[Finding, str | None]]:
    """Mend the files of one trial; each with the reason where it stays. Nothing is done while it is being trained."""
    trial = findings[0].trial
    assert trial is not None
    try:
        with store.lock(trial, timeout_s=0):
            yield from _mend_locked(store.folder(trial), findings, known)
    except TimeoutError:
        yield from ((finding, "it is being trained") for finding in findings)


def mend_shared(finding: Finding) -> str | None:
    """Mend a file of a run, or one that all runs share; the reason where it stays."""
    with _reasons() as reasons:
        match finding.mend:
            case "seal":
                content = finding.path.read_bytes()
                seal = sealed_yaml if finding.path.name == RESOLVED else sealed_json
                write_atomically(finding.path, seal(content))
            case "remove" if finding.path.is_dir():
                _remove_prepared(finding.path)
            case "remove":
                finding.path.unlink(missing_ok=True)
            case _:
                raise LeftError("nothing mends it; run the spec again, which makes another run")
    return reasons[0] if reasons else None


def _mend_locked(folder: Path, findings: list[Finding], known: Known) -> Iterator[tuple[Finding, str | None]]:
    # As the files are now that nobody else writes them.
    now = {finding.path: finding for finding in check_trial(folder)}
    seals = [finding for finding in findings if finding.mend == "seal"]
    for finding in findings:
        if finding.mend == "seal" or now.get(finding.path, finding).state == "sound":
            continue
        with _reasons() as reasons:
            _mend_file(folder, finding, known)
        yield finding, reasons[0] if reasons else None
    if seals:
        with _reasons() as reasons:
            _seal_trial(folder, [finding.path for finding in seals])
        yield from ((finding, reasons[0] if reasons else None) for finding in seals)


def _mend_file(folder: Path, finding: Finding, known: Known) -> None:
    if finding.mend == "rewrite":
        trial = known(folder.name)
        if trial is None:
            raise LeftError("no sound plan.json names the trial; run its spec again")
        write_atomically(finding.path, config_content(trial))
    elif finding.mend == "cut":
        records = read_history(folder, folder.name).records
        os.replace(finding.path, aside(finding.path))
        write_atomically(finding.path, history_content(records))
    else:
        os.replace(finding.path, aside(finding.path))


def aside(path: Path) -> Path:
    """Where a damaged file is put; nothing reads it there."""
    return path.with_name(f"{path.name}{DAMAGED}")


def _seal_trial(folder: Path, paths: list[Path]) -> None:
    """Seal the files of a trial at once: a result names the seal of its history."""
    result, files = folder / RESULT, []
    if folder / HISTORY in paths:
        files.append((folder / HISTORY, history_content(read_history(folder, folder.name).records)))
    if result in paths:
        files.append((result, result_content(read_result(folder).result, folder, dict(files).get(folder / HISTORY))))
    others = [path for path in paths if path.name not in (HISTORY, RESULT)]
    write_together([*files, *((path, sealed_json(path.read_bytes())) for path in others)])


def _remove_prepared(folder: Path) -> None:
    """Under the lock that whoever prepares it holds; a process that has it mapped keeps what is mapped."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            shutil.rmtree(folder)
    except Timeout:
        raise LeftError("it is being prepared") from None


@contextmanager
def _reasons() -> Iterator[list[str]]:
    """Filled with why a file could not be mended, where that is so."""
    reasons: list[str] = []
    try:
        yield reasons
    except LeftError as error:
        reasons.append(str(error))
    except OSError as error:
        reasons.append(f"it cannot be written: {error.strerror or error}")
