"""Optimizers of timm, which need nothing else of it; both in the form of their papers."""

from collections.abc import Iterable
from typing import Annotated

import torch
from timm.optim.lamb import Lamb
from timm.optim.lion import Lion
from torch import Tensor

from craftc.components.bounds import PER_TRIAL, NonNegativeFloat, PositiveFloat
from craftc.components.declare import declares
from craftc.components.optimizers.torch_optimizers import Betas


@declares(
    packages={"timm": "optimizers"},
    search_ranges={"lr": {"log_uniform": [1e-5, 1e-3]}, "weight_decay": {"log_uniform": [1e-3, 1.0]}},
)
def lion(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-4,
    betas: Annotated[Betas, PER_TRIAL] = (0.9, 0.99),
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """The sign of a mean of gradients (Chen et al. 2023), by timm.

    Its rates are 3 to 10 times lower than AdamW's, and its weight decay as many times higher.

    Args:
        lr: Learning rate that the schedule starts from: how far every weight moves in a step.
        betas: Share of the running mean in what the sign is taken of, and decay of that mean.
        weight_decay: Share of each weight, times the learning rate, that a step takes away.
    """
    optimizer: torch.optim.Optimizer = Lion(params, lr=lr, betas=(betas[0], betas[1]), weight_decay=weight_decay)
    return optimizer


@declares(
    packages={"timm": "optimizers"},
    search_ranges={"lr": {"log_uniform": [1e-4, 1e-1]}, "weight_decay": {"log_uniform": [1e-4, 1e-1]}},
)
def lamb(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: PositiveFloat = 1e-6,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.01,
) -> torch.optim.Optimizer:
    """Adam whose update of each parameter is as large as the parameter, for large batches (You et al. 2020), by timm.

    As in the paper's algorithm 2: the means are corrected for their beginning, decay is part of the update, and
    parameters without decay are scaled too. It does not clip; write regularization.clip_grad_norm.

    Args:
        lr: Learning rate that the schedule starts from.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Share of each weight that is added to the update, before that is scaled.
    """
    optimizer: torch.optim.Optimizer = Lamb(
        params,
        lr=lr,
        betas=(betas[0], betas[1]),
        eps=eps,
        weight_decay=weight_decay,
        max_grad_norm=None,
        always_adapt=True,
    )
    return optimizer
