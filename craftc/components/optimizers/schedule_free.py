"""Schedule-free optimizers of pytorch_optimizer: the mean of the weights takes the place of a falling rate.

Steps are taken from weights that are not those that are judged: craftc switches between both before the first step of a
record and after its last.
"""

from collections.abc import Iterable
from typing import Annotated

import torch
from pytorch_optimizer import ScheduleFreeAdamW, ScheduleFreeSGD
from torch import Tensor

from craftc.components.bounds import PER_TRIAL, NonNegativeFloat, OpenFraction, PositiveFloat
from craftc.components.declare import declares
from craftc.components.optimizers.torch_optimizers import Betas


@declares(
    packages={"pytorch_optimizer": "optimizers"},
    search_ranges={"lr": {"log_uniform": [3e-4, 3e-2]}, "weight_decay": {"log_uniform": [1e-5, 1e-1]}},
    switches_weights=True,
)
def schedule_free_adamw(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 2.5e-3,
    betas: Betas = (0.9, 0.999),
    eps: PositiveFloat = 1e-8,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """AdamW without a falling rate (Defazio et al. 2024), by pytorch_optimizer; a linear_warmup before it helps.

    Args:
        lr: Learning rate that the schedule starts from; weights count in the mean by the square of the highest so far.
        betas: Where between the mean and the last weights gradients are taken, and decay of the mean of squares.
        eps: Added to the denominator.
        weight_decay: Share of each weight, times the learning rate, that a step takes away, where the gradient is
            taken.
    """
    if betas[0] == 0:
        raise ValueError("the first of betas is 0: there is no way back from the last weights to the mean")
    return ScheduleFreeAdamW(params, lr=lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay)


@declares(
    packages={"pytorch_optimizer": "optimizers"},
    search_ranges={"lr": {"log_uniform": [1e-2, 10.0]}, "weight_decay": {"log_uniform": [1e-6, 1e-2]}},
    switches_weights=True,
)
def schedule_free_sgd(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1.0,
    momentum: OpenFraction = 0.9,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """SGD without a falling rate (Defazio et al. 2024), by pytorch_optimizer; a linear_warmup before it helps.

    Args:
        lr: Learning rate that the schedule starts from; weights count in the mean by the square of the highest so far.
        momentum: Where between the last weights and the mean gradients are taken: 1 would be at the mean.
        weight_decay: L2 penalty, added to the gradient.
    """
    return ScheduleFreeSGD(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
