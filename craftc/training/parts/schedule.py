"""Chains the phases of a schedule, and gives the learning rate of every step of the training."""

import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, Protocol, runtime_checkable

from torch.optim.lr_scheduler import LRScheduler

from craftc.components.build import build, load_component
from craftc.schemas.result import Metrics
from craftc.training.foundation.best import watched_value
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.errors import TrainingError

FAILED = "schedule-failed"


class Phase(Protocol):
    """A schedule component. `epochs` "none": all that remain."""

    epochs: int | Literal["none"]

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The learning rate of `step`, which counts from 0 within the phase of `num_steps`."""
        ...


@runtime_checkable
class ObservingPhase(Protocol):
    """A phase whose learning rate follows a recorded metric."""

    metric: str

    def observe(self, value: float) -> None:
        """Take the metric of an epoch that ended in this phase; NaN where that was not finite."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `observe` has left behind, as plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where the phase of that state stood."""
        ...


class Schedule:
    """Phases one after another. The first step behind the last phase, if there is one, keeps its last learning rate."""

    def __init__(self, phases: Sequence[Phase], *, num_epochs: int, steps_per_epoch: int) -> None:
        self._phases = phases
        self._steps_per_epoch = steps_per_epoch
        self._lengths = _phase_lengths(phases, num_epochs)
        # Phase i covers epochs [starts[i], starts[i + 1]), counted from 0; an empty phase is never found.
        self._starts = [0, *accumulate(self._lengths)][:-1]
        self._last = max((i for i, length in enumerate(self._lengths) if length), default=0)

    def lr(self, base_lr: float, step: int) -> float:
        """The learning rate of `step`, which counts from 0 over the whole training. Raises TrainingError
        `schedule-failed`."""
        index = self._index(step // self._steps_per_epoch)
        num_steps = self._lengths[index] * self._steps_per_epoch
        step_in_phase = min(step - self._starts[index] * self._steps_per_epoch, num_steps - 1)
        phase = self._phases[index]
        try:
            rate = phase.lr(base_lr, step_in_phase, num_steps, self._steps_per_epoch)
        except Exception:
            # Only then: a context around each call takes longer than the call.
            with errors_of(f"schedule phase {type(phase).__name__}, lr of step {step}", code=FAILED):
                raise
        if not _is_finite(rate):
            message = f"schedule phase {type(phase).__name__} gave {rate!r} for step {step}"
            raise TrainingError(FAILED, f"{message}; expected a finite number")
        return rate

    def observe(self, epoch: int, metrics: Metrics, measured: Collection[str]) -> None:
        """Tell the phase of `epoch` (counts from 1) what that epoch recorded, where the phase wants to know."""
        phase = self._phases[self._index(epoch - 1)]
        if isinstance(phase, ObservingPhase):
            value = watched_value(metrics, phase.metric, measured, "training.schedule", epoch)
            with errors_of(f"schedule phase {type(phase).__name__}, observe", code=FAILED):
                phase.observe(math.nan if value is None else value)

    def state_dict(self) -> list[dict[str, Any] | None]:
        """One entry per phase; None for those without state."""
        return [phase.state_dict() if isinstance(phase, ObservingPhase) else None for phase in self._phases]

    def load_state_dict(self, states: Sequence[Mapping[str, Any] | None]) -> None:
        """The reverse of `state_dict`."""
        for phase, state in zip(self._phases, states, strict=True):
            if isinstance(phase, ObservingPhase) and state is not None:
                phase.load_state_dict(state)

    def _index(self, epoch: int) -> int:
        """The phase of `epoch`, which counts from 0."""
        return min(bisect_right(self._starts, epoch) - 1, self._last)


def _is_finite(rate: object) -> bool:
    try:
        return math.isfinite(rate)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False


def build_schedule(settings: Sequence[Mapping[str, Any]], *, num_epochs: int, steps_per_epoch: int) -> Schedule:
    """From `training.schedule`."""
    phases = [_phase(setting) for setting in settings]
    return Schedule(phases, num_epochs=num_epochs, steps_per_epoch=steps_per_epoch)


def _phase(setting: Mapping[str, Any]) -> Phase:
    if _is_torchs(setting["kind"]):
        raise TypeError(f"{setting['kind']} steers an optimizer of its own accord; a phase says the rate of a step")
    phase: Phase = build("schedules", setting)
    epochs = getattr(phase, "epochs", None)
    if not callable(getattr(phase, "lr", None)):
        raise TypeError(f"{setting['kind']} has no method lr(base_lr, step, num_steps, steps_per_epoch)")
    if epochs != "none" and not (isinstance(epochs, int) and epochs >= 0):
        raise TypeError(f'{setting["kind"]} has epochs = {epochs!r}; expected a whole number or "none"')
    return phase


def _is_torchs(kind: str) -> bool:
    found = load_component("schedules", kind)
    return isinstance(found, type) and issubclass(found, LRScheduler)


def _phase_lengths(phases: Sequence[Phase], num_epochs: int) -> list[int]:
    """Epochs of each phase. Raises ValueError where a phase before the last takes all that remain."""
    lengths: list[int] = []
    for index, phase in enumerate(phases):
        if phase.epochs != "none":
            lengths.append(phase.epochs)
        elif index == len(phases) - 1:
            lengths.append(max(num_epochs - sum(lengths), 0))
        else:
            raise ValueError(f"phase {index} of the schedule takes all epochs that remain, but is not the last")
    if not any(lengths):
        raise ValueError("no phase of the schedule lasts an epoch")
    return lengths
