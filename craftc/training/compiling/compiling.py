"""Compiles the step of a training, where the spec says so or where measured times say that it saves time.

B: samples of a batch.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from craftc.training.compiling.compile_finding import KERNELS, CompileFinding, FindingFile, finding_file
from craftc.training.compiling.compile_loss import NotCompilableError, Rehearsal, compile_loss
from craftc.training.data.device_split import Batch
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.loss import Loss
from craftc.training.parts.worker_group import WorkerGroup

log = logging.getLogger(__name__)

T = TypeVar("T")

NUM_WARM, NUM_TIMED = 2, 9
"""Steps before and of a measurement, all of them steps of the training."""
LEAST_TRY_S = 300.0
"""Seconds of steps that must be expected for a first try: it takes up to 40 s, and a step then takes 0.4 to 0.8 of what
it took. What trials like this one took before is expected again: many short ones are tried as one long one is."""
LEAST_REPAID = 1.5
"""How many times its cost a compilation must save by what was measured before, on the steps that are expected."""
LEAST_GAIN = 1.05
"""How many times as long a step must take as it stands."""


@dataclass(frozen=True)
class Compiling:
    """When the step of a training is to be compiled.

    `wanted` is the key of the spec: True compiles before the first step; "auto" where the finding in `file` says that
    it pays, and where nothing is known yet, after some steps have been measured, if what remains of the `num_steps` of
    the training is long enough. `kernels` keeps what is compiled, for all processes.
    """

    wanted: bool | str = False
    num_steps: int = 0
    num_workers: int = 1
    kernels: Path | None = None
    file: FindingFile | None = None


class Compilation:
    """Whether the step of one training is compiled by now."""

    def __init__(self, compiling: Compiling, loss: Loss, rehearsal: Rehearsal) -> None:
        self._wanted, self._num_steps = compiling.wanted, compiling.num_steps
        self._kernels, self._file = compiling.kernels, compiling.file
        self._loss, self._rehearsal = loss, rehearsal
        self._shape: torch.Size | None = None
        self._plain: list[float] = []
        self._compiled: list[float] = []
        self._cost = 0.0
        self._num_left = 0
        self.is_settled = self._wanted is False
        """Whether nothing is left to find out: steps need not go through `take` then."""
        self.is_compiled = False
        self.because: str | None = None
        """Why steps go as they stand, where "auto" decided so."""
        if self._wanted == "auto" and compiling.num_workers > 1:
            self._settle("several workers compute it")

    def take(self, step: int, batch: Batch, take_step: Callable[[], T]) -> T:
        """Take a step on a batch, compiled or not, and find out about it. Raises TrainingError `not-compilable`."""
        shape = self._loss.shape_of(batch)
        self._shape = self._shape or shape
        if shape != self._shape:
            return take_step()
        if self.is_compiled:
            taken = self._timed(self._compiled, take_step)
            if len(self._compiled) == NUM_WARM + NUM_TIMED:
                self._compare()
            return taken
        if not self._plain:
            self._begin(step, batch)
            if self.is_settled:
                return take_step()
        taken = self._timed(self._plain, take_step)
        if len(self._plain) == NUM_WARM + NUM_TIMED:
            finding = CompileFinding(_seconds(self._plain), num_left=self._num_left)
            reason = _too_few(finding, self._num_steps - step)
            if reason is None:
                self._try(step, batch)
            else:
                self._leave(finding, self._num_steps - step, reason)
        return taken

    def _begin(self, step: int, batch: Batch) -> None:
        """Before the first step: by the key, or by what is known."""
        found = None if self._wanted is True or self._file is None else self._file.read()
        if self._wanted is True:
            self._try(step, batch)
            self.is_settled = True
        elif found is not None and not found.is_tried:
            self._num_left = found.num_left
        elif found is not None and (reason := found.because or _no_gain(found)) is not None:
            self._settle(reason)
        elif found is not None and (reason := _too_dear(found, self._num_steps - step)) is not None:
            self._leave(found, self._num_steps - step, reason)
        elif found is not None and self._try(step, batch):
            self._keep(replace(found, cost=self._cost, num_left=0))
            self.is_settled = True

    def _try(self, step: int, batch: Batch) -> bool:
        start = time.perf_counter()
        try:
            compiled = compile_loss(self._loss, self._rehearsal, batch, step, self._kernels, self._refuse)
        except NotCompilableError as error:
            self._refuse(str(error))
            return False
        self._cost = time.perf_counter() - start
        log.info("the step was compiled in %.1f s", self._cost)
        self._loss.use(compiled, self._loss.shape_of(batch))
        self.is_compiled = True
        return True

    def _refuse(self, reason: str) -> None:
        if self._wanted is True:
            raise TrainingError("not-compilable", f"training.compile is true, and {reason}")
        log.warning("training goes on with its step as it stands: %s", reason)
        self._keep(CompileFinding(because=reason))
        self._settle(reason)

    def _compare(self) -> None:
        finding = CompileFinding(_seconds(self._plain), _seconds(self._compiled), self._cost)
        self._keep(finding)
        self._settle(_no_gain(finding))

    def _leave(self, finding: CompileFinding, num_steps: int, reason: str) -> None:
        """Take the steps that remain as they stand, and have the next trial like this one know of them."""
        self._keep(replace(finding, num_left=finding.num_left + num_steps))
        self._settle(reason)

    def _settle(self, reason: str | None) -> None:
        """Decided: compiled, or because of the reason not."""
        self.is_settled, self.because = True, reason
        if reason is not None:
            log.info("the step is not compiled: %s", reason)
            self._loss.use(None)
            self.is_compiled = False

    def _keep(self, finding: CompileFinding) -> None:
        if self._file is not None:
            self._file.write(finding)

    def _timed(self, seconds: list[float], take_step: Callable[[], T]) -> T:
        self._wait()
        start = time.perf_counter()
        taken = take_step()
        self._wait()
        seconds.append(time.perf_counter() - start)
        return taken

    def _wait(self) -> None:
        if self._rehearsal.device.type != "cpu":
            torch.accelerator.synchronize(self._rehearsal.device)


def build_compiling(
    config: dict[str, Any], device: torch.device, workers: WorkerGroup, *, num_steps: int, folder: Path | None
) -> Compiling:
    """By the configuration of a trial; findings and what is compiled are in `folder`, and nowhere where it is None."""
    wanted = config["training"].get("compile", False)
    if wanted is False or folder is None:
        return Compiling(wanted, num_steps, workers.size)
    return Compiling(wanted, num_steps, workers.size, folder / KERNELS, finding_file(folder, config, device))


def _seconds(steps: list[float]) -> float:
    return median(steps[NUM_WARM:])


def _no_gain(finding: CompileFinding) -> str | None:
    if finding.plain >= LEAST_GAIN * finding.compiled:
        return None
    return f"compiled it takes {finding.compiled * 1e3:.3g} ms, and {finding.plain * 1e3:.3g} ms as it stands"


def _too_few(finding: CompileFinding, num_steps: int) -> str | None:
    """Why so many steps, and those that were left before, are no reason for a first try."""
    remaining_s, left_s = num_steps * finding.plain, finding.num_left * finding.plain
    if remaining_s + left_s >= LEAST_TRY_S:
        return None
    before = f", after {left_s:.0f} s of trials like it" if finding.num_left else ""
    return f"the steps that remain take {remaining_s:.0f} s{before}: too few for a first try"


def _too_dear(finding: CompileFinding, num_steps: int) -> str | None:
    """Why so many steps, and those that were left before, do not repay what compiling took the last time."""
    gain = finding.plain - finding.compiled
    saved, missed = num_steps * gain, finding.num_left * gain
    if saved + missed >= LEAST_REPAID * finding.cost:
        return None
    before = f", after {missed:.1f} s of trials like it" if finding.num_left else ""
    return f"that takes {finding.cost:.1f} s, and the steps that remain would take {saved:.1f} s less{before}"
