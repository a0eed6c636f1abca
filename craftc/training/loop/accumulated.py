"""Computes the gradient of a step whose samples go through forward and backward in parts.

B: samples of a step, P: those of one micro-batch, T: terms of an objective.
"""

from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch
from craftc.training.foundation import foreach
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.out_of_memory import is_out_of_memory
from craftc.training.foundation.random import key, seed_torch, step_key
from craftc.training.loop.blame import blame_objective
from craftc.training.parts.kept_state import KeptState
from craftc.training.parts.micro_batches import MicroBatch
from craftc.training.parts.sync_batch_norm import each_has_all
from craftc.training.parts.terms import Terms, mean_of


def accumulated_gradient(parts: Parts, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
    """Leave the gradient of what a step minimises in the parameters, and return its loss as (sum, weight), of T terms
    (T,) each. `batch` has all B samples of the step, augmented; every worker of the group is given all of them.

    A mean over the step is a sum by a weight, which is known when all of it is computed. Of one term the gradient is
    scaled at the end; several terms have weights of their own, and are computed twice, first for the weights alone.
    """
    workers, joined = parts.workers, parts.joined
    # Gradients are added up once, behind the last part: workers need not have equally many.
    with joined.no_sync() if isinstance(joined, DistributedDataParallel) else nullcontext():
        known = None
        if isinstance(parts.objective, Terms) and sum(parts.objective.is_trained) > 1:
            kept = KeptState((parts.model, parts.objective))
            with torch.no_grad():
                known = workers.summed(_fitting(parts, batch, step, None)[1])
            kept.restore()
        loss_sum, weight_sum, assumed = _fitting(parts, batch, step, known)
    loss_sum, weight_sum = workers.summed(torch.stack([loss_sum, weight_sum])).unbind()
    gradients = [parameter.grad for parameter in parts.parameters if parameter.grad is not None]
    if known is None:
        foreach.scale_(gradients, _trained(parts, assumed / weight_sum))
    workers.add_gradients(parts.parameters)
    return loss_sum, weight_sum


def _trained(parts: Parts, values: Tensor) -> Tensor:
    """Of a number for each term, that of the one that is trained."""
    return values[parts.objective.is_trained.index(True)] if isinstance(parts.objective, Terms) else values


def _fitting(parts: Parts, batch: Batch, step: int, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    take = partial(_over_all, parts, batch, step, weight)
    return parts.micro_batches.fitting(take, (parts.model, parts.objective), parts.device)


def _over_all(parts: Parts, batch: Batch, step: int, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """This worker's loss as (sum, weight), and by what its gradient was divided: the weight of all of the step where
    that is known, and otherwise about that, so that numbers of 16 bits are as large as those of a whole batch."""
    for parameter in parts.parameters:
        parameter.grad = None
    num_samples = len(batch[parts.calls.first])
    sums: list[tuple[Tensor, Tensor]] = []
    assumed = weight
    for micro in parts.micro_batches.of_step(num_samples, parts.workers):
        part = part_of(parts, batch, step, micro)
        _begin(parts, part, step, micro)
        # What is compiled takes it as given how dropout finds its numbers.
        loss = parts.loss if torch.is_grad_enabled() and parts.dropout_bits.is_known else parts.loss.as_it_stands
        try:
            with each_has_all() if micro.share < 1 else nullcontext():
                loss_P, weight_P = loss(part)
            parts.dropout_bits.turn()
            if assumed is None:
                scaled = weight_P.detach() * (num_samples / (micro.stop - micro.start))
                assumed = torch.where(scaled > 0, scaled, 1.0)
            if torch.is_grad_enabled():
                backward(parts, mean_of(parts.objective, loss_P * micro.share, assumed))
        except Exception as error:
            if not isinstance(error, TrainingError) and not is_out_of_memory(error):
                blame_objective(parts, part)
            raise
        parts.dropout_bits.end()
        sums.append((loss_P.detach() * micro.share, weight_P.detach() * micro.share))
    assert assumed is not None
    loss_sum, weight_sum = (torch.stack(each).sum(0) for each in zip(*sums, strict=True))
    return loss_sum, weight_sum, assumed


def part_of(parts: Parts, batch: Batch, step: int, micro: MicroBatch) -> Batch:
    """What model and objective are given of the samples of a micro-batch. Copies: the samples may be asked for again,
    and the model may work in place on what it is given."""
    part = {name: column[micro.start : micro.stop].clone() for name, column in batch.items()}
    if parts.features is not None:
        part[parts.calls.first] = parts.features(part[parts.calls.first])
    return part | parts.values.at(step)


def _begin(parts: Parts, part: Batch, step: int, micro: MicroBatch) -> None:
    """Have random numbers be those of the samples of a micro-batch."""
    # What draws from the global generators needs, for each part, numbers of its own.
    rank = micro.number * parts.workers.size + (0 if micro.share < 1 else parts.workers.rank)
    seed_torch(key(parts.seed, "forward", step, rank=rank), parts.device)
    shape = part[parts.calls.first].shape
    parts.dropout_bits.begin(step_key(parts.seed, "forward", step), shape, first_sample=micro.start)


def backward(parts: Parts, loss: Tensor) -> None:
    """Add to the gradients. Raises TrainingError where the loss has none."""
    if not loss.requires_grad:
        message = "the loss has no gradient: nothing in the model is trained, or the model or the objective cuts it off"
        raise TrainingError("objective-failed", f"{message}, as detach, no_grad, argmax and numpy do")
    scaler = parts.precision.scaler
    (loss if scaler is None else scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
