"""Trains one pass over the train split, and returns the mean objective."""

from collections.abc import Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.data.device_split import DeviceSplit, num_batches, train_batches
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.errors import require_finite
from craftc.training.foundation.pulse import Pulse
from craftc.training.foundation.random import epoch_order, key, seed_everything
from craftc.training.loop.step import train_step
from craftc.training.parts.optimizer import set_training

NO_PULSE = Pulse(None)
STEPS_BETWEEN_SUMS = 256
"""Losses of so many steps are added up at once: two additions at every step take 5 us."""


def train_epoch(
    parts: Parts,
    train: DeviceSplit,
    *,
    epoch: int,
    first_step: int,
    batch_size: int,
    num_steps: int | None = None,
    pulse: Pulse = NO_PULSE,
) -> Metrics:
    """Train one epoch (counts from 1) whose first step is `first_step` (counts from 0), or its first `num_steps`.

    Returns `train/objective`, the mean as optimised, and `train/lr` and each value, those of the last step. Raises
    TrainingError `nan-loss`, `value-failed`, `not-deterministic` and `not-compilable`; the loss is read from the device
    once, at the end.
    """
    seed_everything(key(parts.seed, "epoch", epoch), parts.device)
    parts.model.train()
    parts.objective.train()
    set_training(parts.optimizer, True)
    # float32 sums of many steps would lose digits; MPS has nothing better.
    precision = torch.float32 if parts.device.type == "mps" else torch.float64
    totals = torch.zeros(2, dtype=precision, device=parts.device)
    losses: list[tuple[Tensor, Tensor]] = []
    lr = 0.0
    num_steps = num_batches(len(train), batch_size) if num_steps is None else num_steps
    order = epoch_order(parts.seed, epoch, len(train))
    with deterministic(parts.deterministic):
        batches = islice(train_batches(train, order, batch_size), num_steps)
        for step, batch in enumerate(batches, start=first_step):
            take = partial(train_step, parts, batch, step)
            if parts.compilation.is_settled:
                loss_sum, weight_sum, lr = take()
            else:
                loss_sum, weight_sum, lr = parts.compilation.take(step, parts.given(batch, step), take)
            losses.append((loss_sum, weight_sum))
            pulse.beat(epoch, step + 1 - first_step, num_steps)
            if len(losses) == STEPS_BETWEEN_SUMS:
                totals += _summed(losses, precision)
                losses.clear()
    pulse.rest()
    # What is evaluated and saved are the weights that it judges by.
    set_training(parts.optimizer, False)
    loss, weight = (totals + _summed(losses, precision) if losses else totals).tolist()
    require_finite(loss, f"the training loss became {loss}", epoch)
    values = parts.values.numbers(first_step + num_steps - 1)
    return {
        "train/objective": loss / weight,
        "train/lr": lr,
        **{f"train/{name}": value for name, value in values.items()},
    }


def _summed(losses: Sequence[tuple[Tensor, Tensor]], precision: torch.dtype) -> Tensor:
    return torch.stack([value for pair in losses for value in pair]).view(-1, 2).to(precision).sum(0)
