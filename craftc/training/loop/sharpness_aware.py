"""Computes the gradient of a step at the worst weights nearby."""

import random
from collections.abc import Callable

import numpy as np
from torch import Tensor

from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch
from craftc.training.parts.kept_state import KeptState
from craftc.training.parts.sharpness import Sharpness


def sharpness_aware(
    parts: Parts, sharpness: Sharpness, gradient: Callable[[Batch], tuple[Tensor, Tensor]], batch: Batch
) -> tuple[Tensor, Tensor]:
    """Leave in the parameters the gradient that `gradient` finds at the worst weights nearby, and return the loss that
    it finds at their own, as (sum, weight).

    Both passes are of the same augmented batch, by the same random numbers, and the whole of a step: of all batches and
    all workers. Buffers, as the statistics of batch normalization, stay as the first pass leaves them.
    """
    drawn = random.getstate(), np.random.get_state()
    # A copy: a model may work in place on what it is given.
    found = gradient({name: column.clone() for name, column in batch.items()})
    kept = KeptState((parts.model, parts.objective))
    moved = sharpness.perturb(parts.parameters)
    try:
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])
        gradient(batch)
    finally:
        moved.restore()
    gradients = [parameter.grad for parameter in parts.parameters]
    kept.restore()
    for parameter, grad in zip(parts.parameters, gradients, strict=True):
        parameter.grad = grad
    return found
