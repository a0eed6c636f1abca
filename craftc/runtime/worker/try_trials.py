"""Tries trials before any is trained; the processes of a run share them out by locks in a folder that all see."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from craftc.runtime.store.store import Store
from craftc.runtime.worker.failure import failure
from craftc.runtime.worker.trial_exit import exit_as_error
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialTried

MOST_S = 60.0
"""What a process spends on trying at the most; a trial that is left is trained without."""
FOLDER = "tried"


def with_trials_tried(
    to_try: Sequence[Trial], events: Iterator[Event], *, store: Store, device: str, cpus: int, scratch: Path | None
) -> Iterator[Event]:
    """A TrialTried for each trial that this process tries; then `events`, unless one of all cannot be trained.

    `scratch` is a folder of this run alone, in which processes tell each other what they try; None where this is the
    only one. Each returns when all are tried, by whomever.
    """
    has_failed = False
    if to_try:
        for tried in try_trials(to_try, store=store, device=device, cpus=cpus, scratch=scratch):
            has_failed = has_failed or tried.failure is not None
            yield tried
        if scratch is not None:
            has_failed = has_failed or any(_mark(scratch, trial, "failed").exists() for trial in to_try)
    if not has_failed:
        yield from events


def try_trials(
    to_try: Sequence[Trial], *, store: Store, device: str, cpus: int, scratch: Path | None
) -> Iterator[TrialTried]:
    """Those that no other process has tried or is trying; at the end, also what those that died have left."""
    # Lazily: torch takes 2 s to import.
    import torch

    torch.set_num_threads(cpus)
    ends_at = time.monotonic() + MOST_S
    if scratch is None:
        yield from (_tried(trial, store, device, ends_at) for trial in to_try)
        return
    (scratch / FOLDER).mkdir(parents=True, exist_ok=True)
    for waits in (False, True):
        for trial in to_try:
            if _is_tried(trial, scratch):
                continue
            with _claimed(_mark(scratch, trial, "lock"), waits=waits) as is_mine:
                if not is_mine or _is_tried(trial, scratch):
                    continue
                tried = _tried(trial, store, device, ends_at)
                _mark(scratch, trial, "failed" if tried.failure else "passed").touch()
            yield tried


def being_tried(to_try: Sequence[Trial], scratch: Path) -> list[Trial]:
    """Those that a process began to try and came to no end with: it is at it, or has died of it."""
    begun = [trial for trial in to_try if _mark(scratch, trial, "lock").exists()]
    return [trial for trial in begun if not _is_tried(trial, scratch)]


def _is_tried(trial: Trial, scratch: Path) -> bool:
    return any(_mark(scratch, trial, end).exists() for end in ("passed", "failed"))


def _tried(trial: Trial, store: Store, device: str, ends_at: float) -> TrialTried:
    from craftc.training.loop.attempt import attempt

    start = time.monotonic()
    if start > ends_at:
        return TrialTried(trial=trial.id)
    failed = warning = None
    try:
        warning = attempt(trial, device=device, prepared=store.prepared)
    except SystemExit as error:
        failed = failure(trial, exit_as_error(error))
    except Exception as error:
        # Whatever the user's own code raises is what is to be found out.
        failed = failure(trial, error)
    return TrialTried(trial=trial.id, failure=failed, warning=warning, seconds=time.monotonic() - start)


def _mark(scratch: Path, trial: Trial, end: str) -> Path:
    return scratch / FOLDER / f"{trial.id}.{end}"


@contextmanager
def _claimed(path: Path, *, waits: bool) -> Iterator[bool]:
    """Whether this process has the lock, which ends with the process however that ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=-1 if waits else 0, thread_local=False)
    is_mine = False
    with suppress(Timeout):
        lock.acquire()
        is_mine = True
    try:
        yield is_mine
    finally:
        if is_mine:
            lock.release()
