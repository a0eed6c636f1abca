"""Decides when the state of a training is saved within a record."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from craftc.schemas.plan import CheckpointEvery

STEPS_BETWEEN_LOOKS = 50
"""At the clock, of what takes many steps at once."""


@dataclass
class Checkpoints:
    """When the state is to be saved within a record, and what saves it."""

    interval: CheckpointEvery | None
    save: Callable[[], None]
    _last: float = field(default_factory=time.monotonic)

    def after(self, step: int) -> None:
        """So many steps are taken, and the record is not at its end."""
        if self.is_due(step):
            self.save()
            self._last = time.monotonic()

    def next_look(self, step: int, end: int) -> int:
        """How many steps from `step` on, at most up to `end`, may be taken before it is asked again."""
        if self.interval is None:
            return end - step
        most = STEPS_BETWEEN_LOOKS if self.interval.steps is None else self.interval.steps - step % self.interval.steps
        return min(most, end - step)

    def is_due(self, step: int) -> bool:
        """Whether the state is to be saved behind so many steps."""
        if self.interval is None:
            return False
        if self.interval.steps is not None:
            return step % self.interval.steps == 0
        return time.monotonic() - self._last >= 60 * (self.interval.minutes or 0)
