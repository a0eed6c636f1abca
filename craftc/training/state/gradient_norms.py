"""Holds the norms of a record's gradients: of each layer their mean and the largest, over the steps so far.

P: trained parameters of a model, L: layers, S: steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from craftc.schemas.catalogue import LARGEST_GRADIENT_NORM as LARGEST
from craftc.schemas.catalogue import MEAN_GRADIENT_NORM as MEAN
from craftc.schemas.result import Metrics
from craftc.training.foundation import foreach
from craftc.training.parts.layers import Layers

STEPS_BETWEEN_SUMS = 256
"""Norms of so many steps are added up at once, as losses are."""
_LARGEST_FLOAT = torch.finfo(torch.float32).max
"""Stands for a norm beyond all numbers, which a record cannot hold."""


def is_of_gradients(metric: str) -> bool:
    """Whether a recorded metric is a norm of a layer's gradient."""
    return metric.startswith((MEAN, LARGEST))


@dataclass
class GradientNorms:
    """Of `layers`, the `sums` of norms (L,), the `largest` (L,) and in how many steps they were known, `counts` (L,),
    but for steps that are still `pending`, (P,) each. NaN is the norm of a parameter that has no gradient.

    A layer is left out in a step in which none of its parameters has one. Nothing is read from the device before
    `metrics`.
    """

    layers: Layers
    sums: Tensor
    largest: Tensor
    counts: Tensor
    pending: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def see(self, parameters: Sequence[Tensor]) -> None:
        """One more step, by the gradients of all parameters of the model as they are now."""
        self.add(_norms([parameters[place].grad for place in self.layers.places], self.sums.device))

    def add(self, norms_P: Tensor) -> None:
        """One more step, by the norms of the trained parameters."""
        self.pending.append(norms_P)
        if len(self.pending) == STEPS_BETWEEN_SUMS:
            self._settle()

    def metrics(self) -> Metrics:
        """What is recorded of the steps so far, without a layer that none of them has reached. Waits for the device."""
        self._settle()
        found = torch.stack([self.sums, self.largest, self.counts]).tolist()
        named = [each for each in zip(self.layers.names, *found, strict=True) if each[-1]]
        means = {f"{MEAN}{name}": total / count for name, total, _, count in named}
        return means | {f"{LARGEST}{name}": largest for name, _, largest, _ in named}

    def _settle(self) -> None:
        if not self.pending:
            return
        norms_SP = torch.stack(self.pending).to(self.sums)
        self.pending.clear()
        numbers = torch.tensor(self.layers.numbers, device=norms_SP.device)
        is_known_SP = ~norms_SP.isnan()
        shape = len(norms_SP), len(self.layers.names)
        squares_SL = norms_SP.new_zeros(shape).index_add_(1, numbers, norms_SP.square().where(is_known_SP, 0.0))
        is_known_SL = norms_SP.new_zeros(shape).index_add_(1, numbers, is_known_SP.to(norms_SP)) > 0
        norms_SL = squares_SL.sqrt()
        if self.layers.skips_overflows:
            is_known_SL &= norms_SL.isfinite()
        norms_SL = norms_SL.clamp(max=_LARGEST_FLOAT).where(is_known_SL, 0.0)
        self.sums += norms_SL.sum(0)
        self.largest = torch.maximum(self.largest, norms_SL.amax(0))
        self.counts += is_known_SL.sum(0)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint. What is pending stays so, for sums depend on the order in which they are made."""
        pending = torch.stack(self.pending) if self.pending else None
        return {"sums": self.sums, "largest": self.largest, "counts": self.counts, "pending": pending}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any], layers: Layers, device: torch.device) -> "GradientNorms":
        """The reverse of `state_dict`."""
        sums, largest, counts = (state[name].to(device) for name in ("sums", "largest", "counts"))
        pending = state["pending"]
        return cls(layers, sums, largest, counts, [] if pending is None else list(pending.to(device).unbind()))


def no_norms(layers: Layers, device: torch.device) -> GradientNorms:
    """Of no steps."""
    # As of losses: sums of many steps would lose digits, and MPS has nothing better.
    precision = torch.float32 if device.type == "mps" else torch.float64
    sums, largest, counts = torch.zeros(3, len(layers.names), dtype=precision, device=device).unbind()
    return GradientNorms(layers, sums, largest, counts)


def _norms(gradients: Sequence[Tensor | None], device: torch.device) -> Tensor:
    """The 2-norm of each (P,), NaN where there is none."""
    there = [gradient for gradient in gradients if gradient is not None]
    if len({(gradient.device, gradient.dtype, gradient.layout) for gradient in there}) == 1 and not there[0].is_sparse:
        norms = foreach.norms(there)
    else:
        norms = [torch.linalg.vector_norm(_values(gradient)).to(device, torch.float32) for gradient in there]
    if len(there) == len(gradients) and there:
        return torch.stack(norms)
    nothing, each = torch.full((), torch.nan, device=device), iter(norms)
    return torch.stack([nothing if gradient is None else next(each).to(nothing) for gradient in gradients])


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
