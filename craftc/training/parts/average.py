"""Updates the average of a model's weights after a step, and says which steps count in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from craftc.training.foundation import foreach
from craftc.training.parts.dropout import Counted
from craftc.training.parts.phases import num_steps_of


@dataclass(frozen=True)
class Averaging:
    """Weights count behind every `every` steps that follow the first `start`. With a `decay` they are an exponential
    moving average, and without one all count alike (SWA; Izmailov et al. 2018). Until the first, the average is the
    weights themselves."""

    decay: float | None
    start: int = 0
    every: int = 1

    @property
    def is_of_every_step(self) -> bool:
        """Whether it is a moving average of all steps."""
        return self.decay is not None and self.start == 0 and self.every == 1

    def takes(self, num_steps: int) -> bool:
        """Whether the weights behind so many steps count."""
        return num_steps > self.start and (num_steps - self.start) % self.every == 0

    def share(self, num_steps: int, num_averaged: int) -> float:
        """What of the weights behind so many steps the average takes, where it has taken `num_averaged` before."""
        if num_averaged == 0:
            return 1.0
        if not self.takes(num_steps):
            return 0.0
        return 1 / (num_averaged + 1) if self.decay is None else 1 - self.decay


def averaging_of(regularization: Mapping[str, Any], steps_per_epoch: int) -> Averaging | None:
    """By `ema_decay` or `average`; None where there is neither."""
    decay, average = regularization["ema_decay"], regularization.get("average", "none")
    if average in ("none", None):
        return None if isinstance(decay, str) else Averaging(decay)
    decay, start, every = (average.get(name) for name in ("decay", "start", "every"))
    return Averaging(
        None if decay in ("none", None) else decay,
        0 if start in ("none", None) else _in_steps(start, steps_per_epoch),
        1 if every is None else _in_steps(every, steps_per_epoch),
    )


def _in_steps(length: Mapping[str, Any], steps_per_epoch: int) -> int:
    found = num_steps_of(length.get("epochs"), length.get("steps"), steps_per_epoch)
    assert found is not None
    return found


class Average:
    """Takes the weights of `model` into `ema`; the first that it takes are the average.

    What torch's `update_parameters` does, with what it looks for each time found once. Buffers are
    copied, but for those of dropout, which never change.
    """

    def __init__(self, ema: AveragedModel, model: nn.Module, averaging: Averaging) -> None:
        self._num_averaged = ema.n_averaged
        self._averaging = averaging
        pairs = list(zip(ema.module.parameters(), model.parameters(), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._averages: list[Tensor] = [average for average, _ in averaged]
        self._weights: list[Tensor] = [weight for _, weight in averaged]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]
        # By their modules, since a model may put another tensor in a buffer's place. `_buffers` is in every module that
        # was ever pickled, so that torch keeps it as it is; `named_buffers` takes 2 us a module to say the same.
        modules = zip(ema.module.modules(), model.modules(), strict=True)
        self._owners = [pair for pair in modules if pair[1]._buffers and not isinstance(pair[1], Counted)]

    @torch.no_grad()
    def take(self, num_steps: int) -> None:
        """After so many steps of the whole training. The counter is on the CPU, so that reading it waits for no GPU."""
        num_averaged = int(self._num_averaged)
        share = self._averaging.share(num_steps, num_averaged)
        if share == 0:
            return
        if num_averaged == 0:
            foreach.copy_(self._averages, self._weights)
        else:
            foreach.lerp_(self._averages, self._weights, share)
        for mine, theirs in self._copied:
            mine.copy_(theirs)
        for average, module in self._owners:
            for mine_or_none, theirs_or_none in zip(average._buffers.values(), module._buffers.values(), strict=True):
                if mine_or_none is not None and theirs_or_none is not None:
                    mine_or_none.copy_(theirs_or_none)
        if self._averaging.takes(num_steps):
            self._num_averaged += 1
