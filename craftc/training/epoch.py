"""One pass over the train split: its order in, changed weights and the mean objective out."""

import torch

from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.batches import DeviceSplit, train_batches
from craftc.training.errors import require_finite
from craftc.training.random import epoch_order, key, seed_everything
from craftc.training.step import train_step


def train_epoch(parts: Parts, train: DeviceSplit, *, epoch: int, first_step: int, batch_size: int) -> Metrics:
    """Train one epoch (counts from 1) whose first step is `first_step` (counts from 0).

    Returns `train/objective`, the mean as optimised, and `train/lr`, that of the last step. Raises TrainingError
    `nan-loss`; the loss is read from the device once, at the end.
    """
    seed_everything(key(parts.seed, "epoch", epoch), parts.device)
    parts.model.train()
    parts.objective.train()
    # float32 sums of many steps would lose digits; MPS has nothing better.
    precision = torch.float32 if parts.device.type == "mps" else torch.float64
    totals = torch.zeros(2, dtype=precision, device=parts.device)
    loss_total, weight_total = totals
    lr = 0.0
    order = epoch_order(parts.seed, epoch, len(train))
    for step, (x_B, y_B) in enumerate(train_batches(train, order, batch_size), start=first_step):
        loss_sum, weight_sum, lr = train_step(parts, x_B, y_B, step)
        loss_total.add_(loss_sum)
        weight_total.add_(weight_sum)
    loss, weight = totals.tolist()
    require_finite(loss, f"the training loss became {loss}", epoch)
    return {"train/objective": loss / weight, "train/lr": lr}
