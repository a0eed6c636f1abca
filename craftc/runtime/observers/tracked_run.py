"""What craftc hands to a tracker, by position, when it makes it: where the run keeps files, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path

from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.observer import Warn
from craftc.runtime.store.store import Store


@dataclass(frozen=True)
class TrackedRun:
    """A run as its trackers see it.

    `folder` is the run's own, where a tracker may keep files. `factors` are what the trials differ in. `store` has the
    epochs and results of trials, also of those that an earlier run trained. `warn` takes one sentence for the user.
    """

    folder: Path
    store: Store
    factors: Factors
    warn: Warn
