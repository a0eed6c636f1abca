"""One batch in, one change of the weights out.

B: samples of a batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from craftc.training.assemble import Parts
from craftc.training.random import key, seed_torch


def train_step(parts: Parts, x_B: Tensor, y_B: Tensor, step: int) -> tuple[Tensor, Tensor, float]:
    """Augment, forward, backward, clip, update. `step` counts from 0 over the whole training.

    Returns the loss as (sum, weight), two detached scalars on the device that add up over steps and over
    workers, and the learning rate of the first parameter group. Never waits for the device.
    """
    lrs = set_lrs(parts, step)
    if parts.augmentations:
        parts.generator.manual_seed(key(parts.seed, "augmentation", step))
        for augment in parts.augmentations:
            x_B = augment(x_B, parts.generator)
    seed_torch(key(parts.seed, "forward", step), parts.device)
    loss_sum, weight_sum = parts.objective(parts.model(x_B), y_B)
    parts.optimizer.zero_grad(set_to_none=True)
    (loss_sum / weight_sum).backward()
    if parts.clip_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(parts.model.parameters(), parts.clip_grad_norm)
    parts.optimizer.step()
    if parts.ema is not None:
        parts.ema.update_parameters(parts.model)
    return loss_sum.detach(), weight_sum.detach(), lrs[0]


def set_lrs(parts: Parts, step: int) -> Sequence[float]:
    """Give each parameter group the schedule's learning rate for this step."""
    lrs = [parts.schedule.lr(base_lr, step) for base_lr in parts.base_lrs]
    for group, lr in zip(parts.optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr
    return lrs
