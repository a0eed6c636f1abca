"""Takes one step: one change of the weights, by the gradient of one or several batches.

B: samples of a step, P: those of them that are this worker's part.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor

from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch
from craftc.training.foundation import foreach
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, seed_torch, step_key
from craftc.training.loop.accumulated import accumulated_gradient, backward
from craftc.training.loop.blame import blame_objective
from craftc.training.loop.sharpness_aware import sharpness_aware
from craftc.training.parts.adaptive_clip import clip_units
from craftc.training.parts.optimizer import FAILED as OPTIMIZER_FAILED
from craftc.training.parts.sync_batch_norm import each_has_all
from craftc.training.parts.terms import mean_of
from craftc.training.state.gradient_norms import GradientNorms


def train_step(
    parts: Parts, batch: Batch, step: int, norms: GradientNorms | None = None
) -> tuple[Tensor, Tensor, float]:
    """Augment, forward, backward, clip, update. `step` counts from 0 over the whole training.

    `batch` has the samples of all batches of the step. Every worker of the group is given and augments all of them, so
    that each sample's random numbers are those of a group of one; forward and backward are of its own part. Returns the
    loss of all of them as (sum, weight), two detached scalars on the device that add up over steps, of T terms two
    (T,), and the learning rate of the first parameter group before that is scaled. `norms` see the
    gradient before it is clipped. Never waits for the device.
    """
    lr = set_lrs(parts, step)
    first = parts.calls.first
    batch = parts.augmentations.of_batch(batch, first, seed=parts.seed, step=step)
    gradient = _gradient if parts.micro_batches.is_one else accumulated_gradient
    if parts.sharpness is None:
        loss_sum, weight_sum = gradient(parts, batch, step)
    else:
        take = partial(gradient, parts, step=step)
        loss_sum, weight_sum = sharpness_aware(parts, parts.sharpness, take, batch)
    _update(parts, step, norms)
    return loss_sum, weight_sum, lr


def _gradient(parts: Parts, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
    """As `accumulated_gradient`, of a step that is one forward and one backward."""
    workers, first = parts.workers, parts.calls.first
    num_samples = len(batch[first])
    part = {name: workers.part(column) for name, column in batch.items()}
    if parts.features is not None:
        part[first] = parts.features(part[first])
    part |= parts.values.at(step)
    # What draws from the global generators needs, for a worker's own part, numbers of its own.
    rank = workers.rank if workers.splits(num_samples) else 0
    seed_torch(key(parts.seed, "forward", step, rank=rank), parts.device)
    first_sample = workers.first_sample(num_samples)
    parts.dropout_bits.begin(step_key(parts.seed, "forward", step), part[first].shape, first_sample=first_sample)
    try:
        with each_has_all() if workers.size > 1 and not workers.splits(num_samples) else nullcontext():
            loss_P, weight_P = parts.loss(part)
    except Exception:
        blame_objective(parts, part)
        raise
    loss_sum, weight_sum = loss_P.detach(), weight_P.detach()
    if workers.size > 1:
        loss_sum, weight_sum = workers.total(torch.stack([loss_sum, weight_sum]), num_samples).unbind()
        # Gradients are averaged over workers: of equal batches, or of parts whose sums are to be added up.
        weight_P = weight_sum / workers.size if workers.splits(num_samples) else weight_sum
    parts.dropout_bits.turn()
    # As optimizer.zero_grad, which takes 10 us to find the same.
    for parameter in parts.parameters:
        parameter.grad = None
    try:
        backward(parts, mean_of(parts.objective, loss_P, weight_P))
    except TrainingError:
        raise
    except Exception:
        blame_objective(parts, part)
        raise
    parts.dropout_bits.end()
    return loss_sum, weight_sum


def _update(parts: Parts, step: int, norms: GradientNorms | None) -> None:
    """Clip, change the weights, and take them into the average."""
    scaler = parts.precision.scaler
    is_looked_at = norms is not None or parts.clip_grad_norm is not None or parts.adaptive_clip is not None
    if scaler is not None and is_looked_at:
        scaler.unscale_(parts.optimizer)
    if norms is not None:
        norms.see(parts.parameters)
    if parts.adaptive_clip is not None:
        trained = [parameter for parameter in parts.parameters if parameter.grad is not None]
        clip_units(trained, [each.grad for each in trained if each.grad is not None], parts.adaptive_clip)
    if parts.clip_grad_norm is not None:
        clip(parts.parameters, parts.clip_grad_norm)
    try:
        if scaler is None:
            parts.optimizer.step()
        else:
            scaler.step(parts.optimizer)
            scaler.update()
    except Exception:
        # Only then: a context around each step takes longer than to find what raised.
        with errors_of(f"optimizer {type(parts.optimizer).__name__}, step", code=OPTIMIZER_FAILED):
            raise
    if parts.average is not None:
        parts.average.take(step + 1)


@torch.no_grad()
def clip(parameters: Sequence[Tensor], max_norm: float) -> None:
    """Scale all gradients so that the norm of them together is `max_norm` at most, as `clip_grad_norm_` does."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if len({(gradient.device, gradient.dtype, gradient.layout) for gradient in gradients}) != 1:
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        return
    norm = torch.linalg.vector_norm(torch.stack(foreach.norms(gradients)))
    foreach.scale_(gradients, (max_norm / (norm + 1e-6)).clamp_(max=1.0))


def set_lrs(parts: Parts, step: int) -> float:
    """Give each parameter group the schedule's learning rate for this step, scaled as the group is; that of the first
    group as the schedule has it."""
    lrs = [parts.schedule.lr(base_lr, step) for base_lr in parts.base_lrs]
    for group, lr, scale in zip(parts.optimizer.param_groups, lrs, parts.lr_scales, strict=True):
        group["lr"] = lr * scale
    return lrs[0]
