"""Runs a slow observer, such as a client of a server, in a thread of its own, so that it never slows the run."""

import queue
import threading
from collections.abc import Callable

from craftc.runtime.observers.observer import Observer, Warn, describe
from craftc.schemas.plan import Plan
from craftc.schemas.result import Event


class InBackground:
    """Passes everything on to an observer in its own thread, in order.

    What the observer raises becomes one warning, after which it is closed and told nothing more. `close` waits up to
    `drain_timeout_s` for it to catch up, and warns where that was not enough. `warn` is called from either thread.
    """

    def __init__(self, observer: Observer, *, name: str, warn: Warn, drain_timeout_s: float = 60.0) -> None:
        self._observer = observer
        self._name = name
        self._warn = warn
        self._drain_timeout_s = drain_timeout_s
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"craftc-{name}", daemon=True)
        self._failed = False

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start. Returns at once."""
        self._calls.put(lambda: self._observer.start(plan, run_name))
        self._thread.start()

    def event(self, event: Event) -> None:
        """See Observer.event. Returns at once."""
        if not self._failed:
            self._calls.put(lambda: self._observer.event(event))

    def close(self) -> None:
        """See Observer.close."""
        self._calls.put(None)
        if self._thread.ident is None:
            return
        self._thread.join(self._drain_timeout_s)
        if self._thread.is_alive():
            num_left = self._calls.qsize()
            self._warn(f"{self._name} did not catch up in {self._drain_timeout_s:g} s: {num_left} events were not told")

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self._attempt(call)
            if self._failed:
                break
        self._attempt(self._observer.close)

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            # The boundary where whatever a third party's client raises becomes a warning.
            if not self._failed:
                self._warn(f"{self._name} failed and is told nothing more of this run: {describe(error)}")
            self._failed = True
