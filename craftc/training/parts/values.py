"""Gives the values of every step: named numbers that follow phases, as the learning rate does."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from craftc.components.build import build
from craftc.training.data.split import Split
from craftc.training.foundation.error_context import GUIDE, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import MeasureCall, ModelCall
from craftc.training.parts.phases import Chain, check_length, is_finite
from craftc.training.parts.phases import Phase as AnyPhase

FAILED = "value-failed"
STEPS_AT_ONCE = 256
"""Steps whose values are sent to the device together, since sending is waited for."""


class Phase(AnyPhase, Protocol):
    """A component of the group `values`."""

    def value(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The value of `step`, which counts from 0 within the phase of `num_steps`."""
        ...


class Values:
    """A chain of phases for each name; a pure function of the step, so that nothing of it is ever saved.

    The tensors are float32, or float64 where the training is. Those of a step are 0-d, and the same objects as at the
    step before where no value has changed.
    """

    def __init__(
        self,
        chains: Mapping[str, Chain[Phase]],
        *,
        num_steps: int,
        steps_per_epoch: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._chains, self._num_steps, self._steps_per_epoch = chains, num_steps, steps_per_epoch
        self._device, self.dtype = device, dtype
        self._current: dict[str, Tensor] = {}
        # The steps that have these, [first, next).
        self._first, self._next = 0, 0
        self._block, self._block_first, self._version = torch.empty(0), 0, 0
        self._numbers: list[tuple[float, ...]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Of the values."""
        return tuple(self._chains)

    def numbers(self, step: int) -> dict[str, float]:
        """The values of `step`, which counts from 0 over the whole training. Raises TrainingError `value-failed`."""
        return {name: self._number(name, chain, step) for name, chain in self._chains.items()}

    def at(self, step: int) -> dict[str, Tensor]:
        """The same as tensors on the device. Raises TrainingError `value-failed`."""
        if not self._chains:
            return self._current
        # What a model has changed in place is not what the next step gets.
        if not self._first <= step < self._next or self._block._version != self._version:
            self._go_to(step)
        return self._current

    def after(self, num_steps: int | None, overrides: Mapping[str, float] | None = None) -> dict[str, Tensor]:
        """The values of the last of so many steps, or of the whole training; `overrides`, by name, stand in the place
        of theirs, and of nothing else."""
        if not self._chains:
            return {}
        numbers = self.numbers((self._num_steps if num_steps is None else max(num_steps, 1)) - 1)
        numbers |= {name: value for name, value in (overrides or {}).items() if name in numbers}
        block = self._tensor([list(numbers.values())])
        return dict(zip(numbers, block[0].unbind(), strict=True))

    def _go_to(self, step: int) -> None:
        """Have the values of `step` as the current ones, until the step that has others."""
        index = step - self._block_first
        if not 0 <= index < len(self._numbers) or self._block._version != self._version:
            left = self._steps_per_epoch - step % self._steps_per_epoch
            self._numbers = [
                tuple(self.numbers(later).values()) for later in range(step, step + min(left, STEPS_AT_ONCE))
            ]
            self._block, self._block_first, index = self._tensor(self._numbers), step, 0
            self._version = self._block._version
        same = next((i for i in range(index, len(self._numbers)) if self._numbers[i] != self._numbers[index]), None)
        self._first = step
        self._next = self._block_first + (len(self._numbers) if same is None else same)
        self._current = dict(zip(self._chains, self._block[index].unbind(), strict=True))

    def _number(self, name: str, chain: Chain[Phase], step: int) -> float:
        phase, step_in_phase, num_steps = chain.at(step)
        what = f"value {name}, phase {type(phase).__name__}"
        try:
            number = phase.value(step_in_phase, num_steps, self._steps_per_epoch)
        except Exception:
            with errors_of(f"{what}, step {step}", code=FAILED):
                raise
        if not is_finite(number):
            raise TrainingError(FAILED, f"{what} gave {number!r} for step {step}; expected a finite number")
        return float(number)

    def _tensor(self, numbers: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor(numbers, dtype=self.dtype, device=self._device)


def build_values(
    settings: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    num_steps: int,
    steps_per_epoch: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Values:
    """From `training.values`. Raises TrainingError `values-not-buildable`."""
    chains: dict[str, Chain[Phase]] = {}
    for name, phases in settings.items():
        with errors_of(f"value {name}", code="values-not-buildable"):
            built = [_phase(setting) for setting in phases]
            chains[name] = Chain(built, what=f"value {name}", num_steps=num_steps, steps_per_epoch=steps_per_epoch)
    return Values(chains, num_steps=num_steps, steps_per_epoch=steps_per_epoch, device=device, dtype=dtype)


def check_names(names: Sequence[str], split: Split, *calls: ModelCall | MeasureCall) -> None:
    """Raise TrainingError where a value has the name of a column, and where no forward is given it."""
    taken = {name for call in calls for _, name in call.named}
    for name in names:
        if name in split.columns:
            message = f'value "{name}" has the name of a column, and forward is given one of the two'
            raise TrainingError("value-name", message)
        if name not in taken:
            message = (
                f'nothing takes the value "{name}": no forward, of model or objective, has a parameter of that name'
            )
            raise TrainingError("value-unused", f"{message}; {GUIDE}")


def _phase(setting: Mapping[str, Any]) -> Phase:
    phase: Phase = build("values", setting)
    if not callable(getattr(phase, "value", None)):
        raise TypeError(f"{setting['kind']} has no method value(step, num_steps, steps_per_epoch)")
    check_length(setting["kind"], phase)
    return phase
