"""Defines an observer: a tracker or a progress display that receives the events of a run."""

from collections.abc import Callable
from typing import Protocol

from craftc.schemas.plan import Plan
from craftc.schemas.result import Event

Warn = Callable[[str], None]
"""Takes one sentence for the user."""


class Observer(Protocol):
    """Is told of every event, in order, after the journal has it. Called from the driver's thread alone."""

    def start(self, plan: Plan, run_name: str) -> None:
        """A run begins. Called once, before the first event."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def close(self) -> None:
        """The run is over, finished or not. Called once, also after a failed `start`."""
        ...


class Shielded:
    """Wraps an observer that must not end the run: its first failure is one warning, and it is told nothing more."""

    def __init__(self, observer: Observer, *, name: str, warn: Warn) -> None:
        self._observer = observer
        self._name = name
        self._warn = warn
        self._failed = False

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        self._attempt(lambda: self._observer.start(plan, run_name))

    def event(self, event: Event) -> None:
        """See Observer.event."""
        if not self._failed:
            self._attempt(lambda: self._observer.event(event))

    def close(self) -> None:
        """See Observer.close. Also called after a failure, so that what was opened is closed."""
        self._attempt(self._observer.close)

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            # The boundary where whatever a third party's client raises becomes a warning.
            if not self._failed:
                self._warn(f"{self._name} failed and is told nothing more of this run: {describe(error)}")
            self._failed = True


def describe(error: BaseException) -> str:
    """The error's class and the first line of what it says."""
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
