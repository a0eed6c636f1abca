"""Writes report.html into the folder of a run: while the run trains, in a thread, and at its end."""

import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

from craftc.runtime.observers.observer import Warn, describe
from craftc.runtime.store.run_folder import RunFolder
from craftc.schemas.plan import Plan
from craftc.schemas.result import EpochEnded, Event, TrialFailed, TrialFinished, TrialPruned
from craftc.secret_text import masked

FILE = "report.html"
EVERY_S = 20.0
"""At least so much time lies between two pages."""
WORKING_SHARE = 0.02
"""Of the time, at most, goes into pages: one that takes a second is followed by 50 without."""
MOST_TRIALS = 2_000
"""Of a plan whose page is refreshed: to read a larger one again and again takes memory that training may need."""


class PageWriter:
    """An observer that keeps report.html up to date. What goes wrong is one warning, and no page until the end."""

    def __init__(self, run_dir: Path, *, warn: Warn, every_s: float = EVERY_S) -> None:
        """`warn` is called in the thread."""
        self._run_dir, self._warn, self._every_s = run_dir, warn, every_s
        self._has_news = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="craftc-page", daemon=True)

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        if len(plan.trials) <= MOST_TRIALS:
            self._thread.start()

    def event(self, event: Event) -> None:
        """See Observer.event."""
        if isinstance(event, EpochEnded | TrialFinished | TrialFailed | TrialPruned):
            self._has_news.set()

    def close(self) -> None:
        """See Observer.close. Waits for a page that is being written, so that it is not newer than the last one."""
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        wait_s = self._every_s
        while not self._is_over.wait(wait_s):
            if not self._has_news.is_set():
                continue
            self._has_news.clear()
            began = time.monotonic()
            if not write_page(self._run_dir, warn=self._warn, is_running=True):
                return
            wait_s = max(self._every_s, (time.monotonic() - began) / WORKING_SHARE)


def write_page(run_dir: Path, *, warn: Warn, is_running: bool = False) -> bool:
    """Write report.html; whether that went well. What went wrong is a warning, with its traceback in the run's log."""
    from craftc.report.page.content import read_content
    from craftc.report.page.page import render_page
    from craftc.training.foundation.atomic_file import write_unflushed

    path = run_dir / FILE
    try:
        write_unflushed(path, render_page(read_content(run_dir, is_running=is_running)).encode())
    except Exception as error:
        # The boundary where whatever the disk or a damaged file raises becomes a warning: all results are in the store.
        with suppress(OSError), RunFolder(run_dir).log.open("a", encoding="utf-8") as log:
            log.write(masked("".join(traceback.format_exception(error))))
        warn(f"{path} is not up to date: {describe(error)}")
        return False
    return True
