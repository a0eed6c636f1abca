"""Holds a record in the making: the losses of its steps so far, from which a training goes on bit by bit.

T: terms of an objective that has several.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from craftc.training.parts.layers import Layers
from craftc.training.state.gradient_norms import GradientNorms, no_norms

STEPS_BETWEEN_SUMS = 256
"""Losses of so many steps are added up at once: two additions at every step take 5 us."""


@dataclass
class Running:
    """The steps from `first_step` up to the one before `step`. `totals` are their losses as (sum, weight), (2,) or
    (2, T), but for those that are still `pending`; `lr` is that of the last step. `norms` are those of their
    gradients; None where none are recorded."""

    first_step: int
    step: int
    totals: Tensor
    pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    lr: float = 0.0
    seconds: float = 0.0
    norms: GradientNorms | None = None

    def add(self, loss_sum: Tensor, weight_sum: Tensor, lr: float) -> None:
        """One more step."""
        self.pending.append((loss_sum, weight_sum))
        self.lr = lr
        self.step += 1
        if len(self.pending) == STEPS_BETWEEN_SUMS:
            self.totals += self._pending_sum()
            self.pending.clear()

    def settle(self) -> None:
        """Have nothing pending, for a batch, which adds up what it computes."""
        if self.pending:
            self.totals = self.totals + self._pending_sum()
            self.pending.clear()

    def sums(self) -> tuple[Any, Any]:
        """The losses of all steps as (sum, weight), numbers or lists of T. Waits for the device."""
        loss, weight = (self.totals + self._pending_sum() if self.pending else self.totals).tolist()
        return loss, weight

    def _pending_sum(self) -> Tensor:
        return self._stacked().to(self.totals.dtype).sum(0)

    def _stacked(self) -> Tensor:
        shape = self.pending[0][0].shape
        return torch.stack([value for pair in self.pending for value in pair]).view(-1, 2, *shape)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint. What is pending stays so, for sums depend on the order in which they are made."""
        pending = self._stacked() if self.pending else None
        return {
            "first_step": self.first_step,
            "step": self.step,
            "totals": self.totals,
            "pending": pending,
            "seconds": self.seconds,
        } | ({} if self.norms is None else {"norms": self.norms.state_dict()})

    @classmethod
    def from_state_dict(cls, state: dict[str, Any], device: torch.device, layers: Layers | None = None) -> "Running":
        """The reverse of `state_dict`. One step more is taken before the learning rate is asked for."""
        pending = state["pending"]
        pairs = [] if pending is None else [tuple(pair.unbind()) for pair in pending.to(device)]
        return cls(
            first_step=state["first_step"],
            step=state["step"],
            totals=state["totals"].to(device),
            pending=pairs,
            seconds=state["seconds"],
            norms=None if layers is None else GradientNorms.from_state_dict(state["norms"], layers, device),
        )


def begin(first_step: int, shape: tuple[int, ...], device: torch.device, layers: Layers | None = None) -> Running:
    """A record of no steps; `shape` is that of one step's losses, `layers` those whose gradients are looked at."""
    # float32 sums of many steps would lose digits; MPS has nothing better.
    precision = torch.float32 if device.type == "mps" else torch.float64
    totals = torch.zeros(2, *shape, dtype=precision, device=device)
    return Running(first_step, first_step, totals, norms=None if layers is None else no_norms(layers, device))
