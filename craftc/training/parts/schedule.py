"""Chains the phases of a schedule, and gives the learning rate of every step of the training."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch.optim.lr_scheduler import LRScheduler

from craftc.components.build import build, load_component
from craftc.schemas.result import EpochRecord
from craftc.training.foundation.best import watched_value
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.phases import Chain, check_length, is_finite
from craftc.training.parts.phases import Phase as AnyPhase

FAILED = "schedule-failed"


class Phase(AnyPhase, Protocol):
    """A schedule component."""

    def lr(self, base_lr: float, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The learning rate of `step`, which counts from 0 within the phase of `num_steps`."""
        ...


@runtime_checkable
class ObservingPhase(Protocol):
    """A phase whose learning rate follows a recorded metric."""

    metric: str

    def observe(self, value: float) -> None:
        """Take the metric of a record that ended in this phase; NaN where that was not finite."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `observe` has left behind, as plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where the phase of that state stood."""
        ...


class Schedule:
    """Phases one after another. The first step behind the last phase, if there is one, keeps its last learning rate."""

    def __init__(self, phases: Sequence[Phase], *, num_steps: int, steps_per_epoch: int) -> None:
        self._chain = Chain(phases, what="the schedule", num_steps=num_steps, steps_per_epoch=steps_per_epoch)
        self._steps_per_epoch = steps_per_epoch

    def lr(self, base_lr: float, step: int) -> float:
        """The learning rate of `step`, which counts from 0 over the whole training. Raises TrainingError
        `schedule-failed`."""
        phase, step_in_phase, num_steps = self._chain.at(step)
        try:
            rate = phase.lr(base_lr, step_in_phase, num_steps, self._steps_per_epoch)
        except Exception:
            # Only then: a context around each call takes longer than the call.
            with errors_of(f"schedule phase {type(phase).__name__}, lr of step {step}", code=FAILED):
                raise
        if not is_finite(rate):
            message = f"schedule phase {type(phase).__name__} gave {rate!r} for step {step}"
            raise TrainingError(FAILED, f"{message}; expected a finite number")
        return rate

    def observe(self, record: EpochRecord, measured: Collection[str]) -> None:
        """Tell the phase in which a record ends what that recorded, where the phase wants to know."""
        phase, metrics, epoch = self._chain.at(record.step - 1).phase, record.metrics, record.epoch
        if isinstance(phase, ObservingPhase):
            value = watched_value(metrics, phase.metric, measured, "training.schedule", epoch)
            with errors_of(f"schedule phase {type(phase).__name__}, observe", code=FAILED):
                phase.observe(math.nan if value is None else value)

    def state_dict(self) -> list[dict[str, Any] | None]:
        """One entry per phase; None for those without state."""
        return [phase.state_dict() if isinstance(phase, ObservingPhase) else None for phase in self._chain.phases]

    def load_state_dict(self, states: Sequence[Mapping[str, Any] | None]) -> None:
        """The reverse of `state_dict`."""
        for phase, state in zip(self._chain.phases, states, strict=True):
            if isinstance(phase, ObservingPhase) and state is not None:
                phase.load_state_dict(state)


def build_schedule(settings: Sequence[Mapping[str, Any]], *, num_steps: int, steps_per_epoch: int) -> Schedule:
    """From `training.schedule`."""
    phases = [_phase(setting) for setting in settings]
    return Schedule(phases, num_steps=num_steps, steps_per_epoch=steps_per_epoch)


def _phase(setting: Mapping[str, Any]) -> Phase:
    if _is_torchs(setting["kind"]):
        raise TypeError(f"{setting['kind']} steers an optimizer of its own accord; a phase says the rate of a step")
    phase: Phase = build("schedules", setting)
    if not callable(getattr(phase, "lr", None)):
        raise TypeError(f"{setting['kind']} has no method lr(base_lr, step, num_steps, steps_per_epoch)")
    check_length(setting["kind"], phase)
    return phase


def _is_torchs(kind: str) -> bool:
    found = load_component("schedules", kind)
    return isinstance(found, type) and issubclass(found, LRScheduler)
