"""Wait until the processes of a run that was stopped have let go of its trials."""

import logging
import time
from collections.abc import Mapping

from craftc.runtime.store.store import Store

BEGUN_TIMEOUT_S = 10.0
"""A killed process keeps its locks until its last thread has ended. A busy machine delays that, and so does a network
on the way to another machine."""

OTHER_TIMEOUT_S = 1.0
"""Short, because what holds a trial that this run has not begun may be another run, which goes on."""

log = logging.getLogger(__name__)


def wait_for_locks(store: Store, begun_by_trial: Mapping[str, bool]) -> None:
    """Wait until no process holds the trials. The log names those that this run has begun and that are held too long.

    `begun_by_trial`: whether the run was told that the trial had begun.
    """
    deadline = time.monotonic() + BEGUN_TIMEOUT_S
    for trial, begun in begun_by_trial.items():
        if begun and not store.wait_until_free(trial, timeout_s=deadline - time.monotonic()):
            log.warning("trial %s is still held %g s after its run was stopped", trial[:12], BEGUN_TIMEOUT_S)
    deadline = time.monotonic() + OTHER_TIMEOUT_S
    for trial, begun in begun_by_trial.items():
        if not begun:
            store.wait_until_free(trial, timeout_s=deadline - time.monotonic())
