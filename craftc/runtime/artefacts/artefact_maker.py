"""Has the artefacts of a run made in a process beside it, as its trials get on."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from craftc.runtime.artefacts.lacking import asked_of, lacking
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import EpochEnded, Event, TrialFinished

PATIENCE_S = 2.0
"""Before it is said what is waited for."""
MOST_DEATHS = 3
"""Processes that may die of a trial before no more are begun."""


class ArtefactMaker:
    """An observer. Within it, trials of the plan that were trained before are seen to, then each as it records an epoch
    whose weights are kept, or ends. Left in peace, it waits until all are made; left by an exception, it stops at once,
    and the next run makes what lacks.

    The process is begun with the first trial that lacks something, and uses the CPU alone, with the lowest priority.
    `warn` is called for each artefact that cannot be made, once for each reason, from another thread; `say` where the
    end waits for artefacts.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        log: Path,
        warn: Callable[[str], None],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._plan, self._store, self._log, self._warn, self._say = plan, store, log, warn, say
        self._by_id = {trial.id: trial for trial in plan.trials} if plan.artefacts else {}
        self._requests: queue.SimpleQueue[Trial | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="craftc-artefacts", daemon=True)
        self._process: subprocess.Popen[str] | None = None
        self._stopped, self._told, self._deaths = False, set[tuple[str, str]](), 0

    def __enter__(self) -> "ArtefactMaker":
        if self._by_id:
            self._thread.start()
            for trial in self._by_id.values():
                if trial.status == "reused":
                    self._requests.put(trial)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped = kind is not None
        self._end()

    def _end(self) -> None:
        self._requests.put(None)
        if self._thread.ident is None:
            return
        try:
            if self._stopped:
                self._kill()
            self._thread.join(PATIENCE_S)
            if self._thread.is_alive() and not self._stopped:
                self._say(f"artefacts are being made, of up to {max(self._requests.qsize(), 1)} trials more")
            self._thread.join()
        except BaseException:
            # Ctrl-C while it is waited for.
            self._stopped = True
            self._kill()
            self._thread.join()
            raise

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""

    def event(self, event: Event) -> None:
        """See Observer.event. Returns at once."""
        if isinstance(event, TrialFinished):
            trial, is_due = self._by_id.get(event.result.trial), True
        elif isinstance(event, EpochEnded):
            trial = self._by_id.get(event.record.trial)
            is_due = trial is not None and any(event.record.epoch % each == 0 for each in trial.keep_weights_every)
        else:
            return
        if trial is not None and is_due:
            self._requests.put(trial)

    def close(self) -> None:
        """See Observer.close. What is asked for is made after the run's end: `__exit__` waits for it."""

    def _work(self) -> None:
        while (trial := self._requests.get()) is not None and not self._stopped:
            planned = asked_of(trial, self._plan)
            # Of one that trains, the process sees which weights are kept.
            is_finished = self._store.is_finished(trial.id)
            if not planned or (is_finished and not self._lacks(trial)):
                continue
            self._ask(trial)
        if self._process is not None:
            _let_end(self._process)

    def _lacks(self, trial: Trial) -> bool:
        # Without torch: the names of the files are enough.
        kept = any((self._store.folder(trial.id) / "checkpoints").glob("epoch_*.pt"))
        return kept or bool(lacking(trial, asked_of(trial, self._plan), self._store, (), is_finished=True))

    def _ask(self, trial: Trial) -> None:
        if self._deaths >= MOST_DEATHS:
            return
        planned = asked_of(trial, self._plan)
        request = {
            "trial": trial.model_dump(mode="json"),
            "artefacts": [each.model_dump(mode="json") for each in planned],
        }
        process = self._running()
        try:
            _write_line(process.stdin, json.dumps(request))
            assert process.stdout is not None
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if self._stopped:
            return
        if not answer:
            self._deaths += 1
            code, self._process = _let_end(process), None
            is_finished = self._store.is_finished(trial.id)
            left = [each.planned.name for each in lacking(trial, planned, self._store, (), is_finished=is_finished)]
            names = ", ".join(left or [each.name for each in planned if each.every])
            self._tell(trial, names, f"its process ended with code {code}")
            return
        for failed in json.loads(answer)["failed"]:
            self._tell(trial, failed["name"], failed["reason"])

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
            with open(self._log, "ab") as log:
                self._process = subprocess.Popen(
                    [
                        sys.executable, "-P", "-m", "craftc.runtime.artefacts.process",
                        str(self._store.root.absolute()), *self._plan.import_folders,
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                    # Ctrl-C is for the run, which ends this process.
                    start_new_session=True,
                )  # fmt: skip
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 19)
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _tell(self, trial: Trial, name: str, reason: str) -> None:
        """Once for each artefact and reason."""
        if (name, reason) not in self._told:
            self._told.add((name, reason))
            self._warn(f"no artefact {name} of {trial.variant} {trial.replicate}: {reason}")


def _let_end(process: "subprocess.Popen[str]") -> int:
    """Close what leads to it, and wait; its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        process.stdin.close()
    code = process.wait()
    process.stdout.close()
    return code


def _write_line(file: IO[str] | None, text: str) -> None:
    assert file is not None
    file.write(text + "\n")
    file.flush()
