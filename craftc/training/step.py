"""One batch in, one change of the weights out.

B: samples of a batch, P: those of them that are this worker's part.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from craftc.training.assemble import Parts
from craftc.training.objective import sum_and_weight
from craftc.training.random import key, seed_torch, step_key


def train_step(parts: Parts, x_B: Tensor, y_B: Tensor, step: int) -> tuple[Tensor, Tensor, float]:
    """Augment, forward, backward, clip, update. `step` counts from 0 over the whole training.

    Every worker of the team is given the whole batch and augments it, so that each sample's random numbers are those
    of a team of one; forward and backward are of its own part. Returns the loss of the whole batch as (sum, weight),
    two detached scalars on the device that add up over steps, and the learning rate of the first parameter group.
    Never waits for the device.
    """
    lrs = set_lrs(parts, step)
    x_B = parts.augmentations(x_B, seed=parts.seed, step=step)
    team, num_samples = parts.team, len(y_B)
    x_P, y_P = team.part(x_B), team.part(y_B)
    if parts.features is not None:
        x_P = parts.features(x_P)
    # What draws from the global generators needs, for a worker's own part, numbers of its own.
    rank = team.rank if team.splits(num_samples) else 0
    seed_torch(key(parts.seed, "forward", step, rank=rank), parts.device)
    first_sample = team.first_sample(num_samples)
    parts.draws.begin(step_key(parts.seed, "forward", step), x_P.shape, first_sample=first_sample)
    loss_P, weight_P = sum_and_weight(parts.objective, parts.joined(x_P), y_P)
    loss_sum, weight_sum = loss_P.detach(), weight_P.detach()
    if team.size > 1:
        loss_sum, weight_sum = team.total(torch.stack([loss_sum, weight_sum]), num_samples).unbind()
        # Gradients are averaged over workers: of equal batches, or of parts whose sums are to be added up.
        weight_P = weight_sum / team.size if team.splits(num_samples) else weight_sum
    parts.optimizer.zero_grad(set_to_none=True)
    (loss_P / weight_P).backward()  # type: ignore[no-untyped-call]
    parts.draws.end()
    if parts.clip_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(parts.model.parameters(), parts.clip_grad_norm)
    parts.optimizer.step()
    if parts.ema is not None:
        parts.ema.update_parameters(parts.model)
    return loss_sum, weight_sum, lrs[0]


def set_lrs(parts: Parts, step: int) -> Sequence[float]:
    """Give each parameter group the schedule's learning rate for this step."""
    lrs = [parts.schedule.lr(base_lr, step) for base_lr in parts.base_lrs]
    for group, lr in zip(parts.optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr
    return lrs
